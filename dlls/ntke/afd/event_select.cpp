// Event selection.
#include "afd/socket_file.h"
#include "ob/handle_table.h"

namespace afd {

NTSTATUS SocketFile::event_select(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<EventSelectParams>(irp);
    const auto mask = static_cast<uint32_t>(params.mask);
    ob::Ref<ke::Event> event;
    if (mask) { // without one the event is ignored
        const NTSTATUS status = ob::HandleTable::current().reference(
            reinterpret_cast<HANDLE>(params.event), EVENT_MODIFY_STATE, event);
        if (!NT_SUCCESS(status))
            return STATUS_INVALID_PARAMETER;
    }
    ob::Ref<ke::Event> replaced;
    return select_events(std::move(event), mask, replaced, SelectMode::Event);
}

NTSTATUS SocketFile::select_events(
    ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced, SelectMode mode)
{
    m_is_nonblocking.store(true, std::memory_order_relaxed); // and stays so [WSAEventSelect/7]
    return select(std::move(event), mask, replaced, mode);
}

NTSTATUS SocketFile::get_events(io::Irp& irp, ULONG_PTR& information)
{
    ob::Ref<ke::Event> to_reset;
    if (const HANDLE handle = const_cast<HANDLE>(irp.parameters().input)) {
        const NTSTATUS status
            = ob::HandleTable::current().reference(handle, EVENT_MODIFY_STATE, to_reset);
        if (!NT_SUCCESS(status))
            return status;
    }
    settle_now();
    GetEventsResult result;
    take_events(result, to_reset.get());
    memcpy(irp.parameters().output, &result, sizeof(result));
    information = sizeof(result);
    return STATUS_SUCCESS;
}

} // namespace afd
