// The service tables of a host: what is taken for one, and what happens where it is not.
#include <cstring>

#include <sys/wait.h>
#include <unistd.h>

#include "fake_ntdll.h"
#include "unit.h"
#include "unix/host_services.h"
#include "unix/service_table.h"

namespace host {

Convention g_convention = Convention::Linux;

void* find_function(const char* name)
{
    if (!strcmp(name, "first"))
        return reinterpret_cast<void*>(&fake_ntdll::first);
    if (!strcmp(name, "second"))
        return reinterpret_cast<void*>(&fake_ntdll::second);
    return !strcmp(name, "of_windows") ? reinterpret_cast<void*>(&fake_ntdll::of_windows) : nullptr;
}

} // namespace host

namespace {

using fake_ntdll::kServices;

fake_ntdll::Data& g_data = fake_ntdll::data();
auto& g_descriptors = g_data.descriptors;
auto& g_services = g_data.services;
auto& g_services_of_windows = g_data.services_of_windows;

char g_other_service; // its address stands for all that nobody takes
char g_ours[3];

const service_table::Row kRows[] = {
    { "first", nullptr, &g_ours[0] },
    { "second", nullptr, &g_ours[1] },
};
const service_table::Row kOfWindows = { "of_windows", nullptr, &g_ours[2] };

int make_host(void**)
{
    for (uint32_t i = 0; i < kServices; ++i)
        g_services[i] = g_services_of_windows[i] = &g_other_service;
    g_services[17] = reinterpret_cast<void*>(&fake_ntdll::first);
    g_services[18] = reinterpret_cast<void*>(&fake_ntdll::second);
    g_services_of_windows[40] = reinterpret_cast<void*>(&fake_ntdll::of_windows);
    g_descriptors[0] = { g_services, nullptr, kServices, nullptr };
    g_descriptors[1] = g_descriptors[2] = {};
    return 0;
}

/// What is taken stays so in a process: each attempt has one of its own.
template <typename Attempt> void in_a_process(Attempt attempt)
{
    const pid_t child = fork();
    if (!child)
        _exit(attempt() ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

bool is_refused()
{
    return service_table::take(kRows, 2) && !service_table::is_taken()
        && g_descriptors[0].services == g_services && !service_table::has_new_one_of_windows();
}

void the_table_is_replaced_by_a_copy(void**)
{
    in_a_process([] {
        if (service_table::take(kRows, 2) || !service_table::is_taken())
            return false;
        void** const services = g_descriptors[0].services;
        const bool is_ours = services != g_services && services[16] == &g_other_service
            && services[17] == &g_ours[0] && services[18] == &g_ours[1];
        service_table::give_back();
        return is_ours && g_descriptors[0].services == g_services && !service_table::is_taken();
    });
}

void a_table_without_one_of_the_services_is_none(void**)
{
    g_services[18] = &g_other_service;
    in_a_process(is_refused);
}

void a_service_that_is_there_twice_cannot_be_taken(void**)
{
    g_services[19] = g_services[17];
    in_a_process(is_refused);
}

void of_two_tables_neither_is_taken(void**)
{
    g_descriptors[2] = g_descriptors[0];
    in_a_process(is_refused);
}

void that_of_windows_is_taken_when_it_comes(void**)
{
    in_a_process([] {
        if (service_table::take(kRows, 2) || service_table::has_new_one_of_windows())
            return false;
        g_descriptors[1].services = g_services_of_windows; // on its way
        if (service_table::has_new_one_of_windows())
            return false;
        g_descriptors[1].limit = kServices;
        return service_table::has_new_one_of_windows() && service_table::take_of_windows(kOfWindows)
            && g_descriptors[1].services[40] == &g_ours[2]
            && service_table::take_of_windows(kOfWindows)
            && !service_table::has_new_one_of_windows();
    });
}

bool is_windows_refused()
{
    return !service_table::take(kRows, 2) && service_table::has_new_one_of_windows()
        && !service_table::take_of_windows(kOfWindows)
        && !service_table::take_of_windows(kOfWindows) && !service_table::has_new_one_of_windows()
        && g_descriptors[1].services == g_services_of_windows;
}

/// So that who asked does without it from there on.
void that_of_windows_is_refused_once(void**)
{
    g_descriptors[1] = { g_services_of_windows, nullptr, kServices, nullptr };
    g_services_of_windows[40] = &g_other_service;
    in_a_process(is_windows_refused);

    g_services_of_windows[40] = reinterpret_cast<void*>(&fake_ntdll::of_windows);
    g_descriptors[1].limit = 7; // no table that we know
    in_a_process(is_windows_refused);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test_setup(the_table_is_replaced_by_a_copy, make_host),
        cmocka_unit_test_setup(a_table_without_one_of_the_services_is_none, make_host),
        cmocka_unit_test_setup(a_service_that_is_there_twice_cannot_be_taken, make_host),
        cmocka_unit_test_setup(of_two_tables_neither_is_taken, make_host),
        cmocka_unit_test_setup(that_of_windows_is_taken_when_it_comes, make_host),
        cmocka_unit_test_setup(that_of_windows_is_refused_once, make_host),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
