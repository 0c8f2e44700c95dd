#include "unix/registered_io.h"

#include "afd/socket_file.h"
#include "io/registered.h"
#include "ke/pool.h"
#include "ntke/calls.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/uninterrupted.h"

namespace registered_io {

namespace {

using unix_side::Port;
using unix_side::Uninterrupted;

ntke::RegisteredQueue& queue_from(uint64_t value)
{
    return *reinterpret_cast<ntke::RegisteredQueue*>(static_cast<uintptr_t>(value));
}

NTSTATUS make_for_event(HANDLE handle, io::RegisteredNotifier*& notifier)
{
    ob::Ref<ke::Event> event;
    if (const NTSTATUS status = program_events::reference(handle, event); !NT_SUCCESS(status))
        return status;
    notifier = ke::pool_new<io::RegisteredNotifier>(std::move(event));
    return notifier ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

/// From here on the port's packets are ours, so that the threads that wait for them look after the
/// sockets too.
NTSTATUS make_for_port(
    HANDLE handle, const CompletionPacket& packet, io::RegisteredNotifier*& notifier)
{
    ob::Ref<io::CompletionQueue> port = Port::find(handle);
    NTSTATUS status = port ? STATUS_SUCCESS : Port::attach(handle, port);
    if (NT_SUCCESS(status))
        status = Port::of(*port).begin_serving(handle);
    if (!NT_SUCCESS(status))
        return status;
    notifier = ke::pool_new<io::RegisteredNotifier>(std::move(port), packet);
    return notifier ? STATUS_SUCCESS : STATUS_NO_MEMORY;
}

} // namespace

NTSTATUS open_queue(void* block)
{
    const auto& args = *static_cast<ntke::OpenQueueArgs*>(block);
    const HANDLE handle = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(args.handle));
    io::RegisteredNotifier* notifier = nullptr;
    CompletionPacket packet {};
    packet.key = static_cast<ULONG_PTR>(args.key);
    packet.context = static_cast<ULONG_PTR>(args.context);
    const NTSTATUS status
        = args.context ? make_for_port(handle, packet, notifier) : make_for_event(handle, notifier);
    queue_from(args.queue).notifier = afd::ptr64(notifier);
    return status;
}

NTSTATUS close_queue(void* block)
{
    auto& queue = queue_from(static_cast<ntke::QueueArgs*>(block)->queue);
    const Uninterrupted section;
    io::RegisteredNotifier::of(queue)->dereference();
    return STATUS_SUCCESS;
}

NTSTATUS serve_queue(void* block)
{
    const auto* notifier
        = io::RegisteredNotifier::of(queue_from(static_cast<ntke::QueueArgs*>(block)->queue));
    const Uninterrupted section;
    if (io::CompletionQueue* port = notifier->port())
        port->serve_source();
    return STATUS_SUCCESS;
}

/// Has those look after the socket who are told of its receives.
static void use_port_of(afd::SocketFile& socket, const ntke::RegisteredRequest& request)
{
    const auto* notifier = io::RegisteredNotifier::of(ntke::queue_of(request));
    if ((request.flags & ntke::kRegisteredSend) || !notifier || !notifier->port())
        return;
    io::CompletionQueue& port = *notifier->port();
    socket.use_port(
        ob::Ref<io::CompletionQueue>::share(&port), Port::of(port), Port::of(port).pump());
}

NTSTATUS submit(void* block)
{
    auto& args = *static_cast<ntke::SubmitArgs*>(block);
    auto& socket = *reinterpret_cast<afd::SocketFile*>(static_cast<uintptr_t>(args.endpoint));
    const Uninterrupted section;
    if (!socket.serves({ .operation = io::Operation::Registered }))
        return ntke::kPassDown;
    use_port_of(socket, *ntke::registered_request_from(args.first));
    const afd::SocketUse use(socket);
    if (!use.is_valid())
        return ntke::kPassDown;
    args.first = afd::ptr64(socket.submit(ntke::registered_request_from(args.first)));
    return args.first ? ntke::kPassDown : STATUS_SUCCESS;
}

} // namespace registered_io
