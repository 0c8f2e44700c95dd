#include "unix/services.h"

#include <iterator>

#include "unix/host_services.h"

namespace services {

const char* take()
{
    constexpr uint32_t kMost = 64;
    service_table::Row rows[kMost];
    uint32_t count = 0;
    for (const Rows& family : { handle_services(), event_services(), file_name_services(),
             file_services(), port_services(), thread_services(), wait_services() }) {
        for (uint32_t i = 0; i < family.count; ++i)
            rows[count++] = family.list[i];
    }
    const char* why = service_table::take(rows, count);
    if (!why)
        take_message_waits();
    return why;
}

} // namespace services
