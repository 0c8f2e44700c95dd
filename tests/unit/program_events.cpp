// Whose the events of a program are, on a host that this test is.
#include <map>

#include "ob/handle_table.h"
#include "unit.h"
#include "unix/host_services.h"
#include "unix/program_events.h"

namespace host {
Convention g_convention = Convention::Linux;
}

namespace {

/// The handles of the host, each the number of an event; several may be one event's.
std::map<HANDLE, int> g_handles;
std::map<int, bool> g_signaled;
uintptr_t g_last_handle = 0;
bool g_has_no_handles = false;

NTSTATUS new_handle(HANDLE* handle, int event)
{
    if (g_has_no_handles)
        return STATUS_INSUFFICIENT_RESOURCES;
    *handle = reinterpret_cast<HANDLE>(g_last_handle += 4);
    g_handles[*handle] = event;
    return STATUS_SUCCESS;
}

NTSTATUS create_event(HANDLE* handle, ACCESS_MASK, const OBJECT_ATTRIBUTES*, EventType, BOOLEAN set)
{
    const int event = static_cast<int>(g_signaled.size());
    g_signaled[event] = set;
    return new_handle(handle, event);
}

NTSTATUS duplicate_object(HANDLE, HANDLE source, HANDLE, HANDLE* target, ACCESS_MASK, ULONG, ULONG)
{
    return new_handle(target, g_handles.at(source));
}

NTSTATUS close_handle(HANDLE handle)
{
    return g_handles.erase(handle) ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

NTSTATUS set_event(HANDLE event, LONG*)
{
    g_signaled[g_handles.at(event)] = true;
    return STATUS_SUCCESS;
}

NTSTATUS reset_event(HANDLE event, LONG*)
{
    g_signaled[g_handles.at(event)] = false;
    return STATUS_SUCCESS;
}

int make_host(void**)
{
    host::create_event.entry = reinterpret_cast<void*>(&create_event);
    host::duplicate_object.entry = reinterpret_cast<void*>(&duplicate_object);
    host::close.entry = reinterpret_cast<void*>(&close_handle);
    host::set_event.entry = reinterpret_cast<void*>(&set_event);
    host::reset_event.entry = reinterpret_cast<void*>(&reset_event);
    return 0;
}

bool is_of_process(HANDLE handle)
{
    const ob::ReadSection section;
    return program_events::find(section, handle, SYNCHRONIZE);
}

void set(HANDLE handle)
{
    ob::Ref<ke::Event> event;
    assert_status(
        ob::HandleTable::current().reference(handle, EVENT_MODIFY_STATE, event), STATUS_SUCCESS);
    event->set();
}

bool is_set_on_host(HANDLE handle)
{
    return g_signaled[g_handles.at(handle)];
}

/// Where some waits do not come through the service table.
void all_events_can_be_left_to_the_host(void**)
{
    HANDLE signaled;
    HANDLE nonsignaled;
    assert_status(program_events::create(&signaled), STATUS_SUCCESS);
    assert_status(program_events::create(&nonsignaled), STATUS_SUCCESS);
    set(signaled);
    assert_true(is_of_process(signaled));
    assert_true(is_of_process(nonsignaled));
    assert_false(is_set_on_host(signaled));

    program_events::leave_all_to_host();
    assert_false(is_of_process(signaled));
    assert_false(is_of_process(nonsignaled));
    assert_true(is_set_on_host(signaled));
    assert_false(is_set_on_host(nonsignaled));
    set(nonsignaled);
    assert_true(is_set_on_host(nonsignaled));

    HANDLE later;
    assert_status(program_events::create(&later), STATUS_SUCCESS);
    assert_false(is_of_process(later));
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test_setup(all_events_can_be_left_to_the_host, make_host),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
