// Event selection.
#include "afd/socket_file.h"
#include "ke/user_memory.h"
#include "nt/caller.h"
#include "ob/handle_table.h"

namespace afd {

namespace {

NTSTATUS find_native_event(HANDLE handle, ob::Ref<ke::Event>& event)
{
    return ob::HandleTable::current().reference(handle, EVENT_MODIFY_STATE, event);
}

} // namespace

NTSTATUS (*SocketFile::find_event)(HANDLE handle, ob::Ref<ke::Event>& event) = find_native_event;
void (*SocketFile::give_to_host)(SocketFile& socket) = nullptr;

bool read_event_select(const void* input, size_t length, EventSelectParams& params)
{
    if (nt::is_wow64()) {
        EventSelectParams32 of_program;
        if (length < sizeof(of_program))
            return false;
        memcpy(&of_program, input, sizeof(of_program));
        params = { of_program.event, of_program.mask };
        return true;
    }
    if (length < sizeof(params))
        return false;
    memcpy(&params, input, sizeof(params));
    return true;
}

NTSTATUS SocketFile::event_select(io::Irp& irp, ULONG_PTR&)
{
    EventSelectParams params;
    if (!read_event_select(irp.parameters().input, irp.parameters().input_length, params))
        return STATUS_INVALID_PARAMETER;
    const auto mask = static_cast<uint32_t>(params.mask);
    ob::Ref<ke::Event> event;
    if (mask) { // without one the event is ignored
        const NTSTATUS status = find_event(reinterpret_cast<HANDLE>(params.event), event);
        if (!NT_SUCCESS(status))
            return STATUS_INVALID_PARAMETER;
    }
    ob::Ref<ke::Event> replaced;
    const NTSTATUS status = select_events(std::move(event), mask, replaced, SelectMode::Event);
    if (NT_SUCCESS(status) || !is_of_host())
        return status;
    give_to_host(*this); // it cannot be watched: no descriptor is left, say
    return ntke::kPassDown;
}

/// Events can be selected in every state.
bool SocketFile::serves_event_select(const io::Parameters&)
{
    return is_created() && !is_left_to_host() && NT_SUCCESS(open_descriptor());
}

/// The host does not know that the socket must not become a blocking one. [ioctlsocket/4]
bool SocketFile::serves_mode(const io::Parameters&)
{
    if (!is_created() || is_left_to_host())
        return false;
    ke::LockGuard guard(m_lock);
    return m_record.mask();
}

bool SocketFile::serves_get_events(const io::Parameters&)
{
    return is_created() && !is_left_to_host() && is_recording();
}

NTSTATUS SocketFile::select_events(
    ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced, SelectMode mode)
{
    const NTSTATUS status = select(std::move(event), mask, replaced, mode);
    if (NT_SUCCESS(status))
        change_mode(true); // for good [WSAEventSelect/7]
    return status;
}

NTSTATUS SocketFile::get_events(io::Irp& irp, ULONG_PTR& information)
{
    ob::Ref<ke::Event> to_reset;
    if (const HANDLE handle = const_cast<HANDLE>(irp.parameters().input)) {
        const NTSTATUS status = find_event(handle, to_reset);
        if (!NT_SUCCESS(status))
            return status;
    }
    settle_now();
    if (to_reset && to_reset->is_on_host()) {
        // A request is not made under the lock. What comes in between is at worst found by an
        // enumeration nobody was woken for, never lost.
        to_reset->reset();
        to_reset.reset();
    }
    GetEventsResult result;
    const NTSTATUS status = take_events(result, to_reset.get());
    if (!NT_SUCCESS(status))
        return status;
    if (!ke::write_user(irp.parameters().output, &result, sizeof(result)))
        return STATUS_ACCESS_VIOLATION;
    information = sizeof(result);
    return STATUS_SUCCESS;
}

} // namespace afd
