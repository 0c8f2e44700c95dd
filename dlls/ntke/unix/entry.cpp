// The entry table of ntke.so: what the PE side can ask of the Linux half. Each function fills in
// its block and returns a status; none waits longer than it is told to. What takes an endpoint's
// lock is not interrupted.
#include <poll.h>

#include "afd/endpoint.h"
#include "afd/pump.h"
#include "ke/pool.h"
#include "ke/thread.h"
#include "ke/wait.h"
#include "ob/handle_table.h"
#include "unix/emulated_events.h"
#include "unix/host_descriptor.h"
#include "unix/host_events.h"
#include "unix/uninterrupted.h"

namespace unix_side {

namespace {

using namespace ntke;

std::atomic<uint64_t> g_endpoints { 0 };

afd::Endpoint& endpoint_from(EndpointId id)
{
    return *reinterpret_cast<afd::Endpoint*>(id);
}

// --- Settling connects with the host

/// Connects for the running round of the pump to hand back.
thread_local PumpArgs* t_pump __attribute__((tls_model("initial-exec"))) = nullptr;

void settle_with_host(afd::Endpoint& endpoint)
{
    if (!t_pump || t_pump->settle_count == kPumpCapacity)
        return;
    endpoint.reference();
    t_pump->settles[t_pump->settle_count++]
        = { reinterpret_cast<EndpointId>(&endpoint), endpoint.host_handle() };
}

/// Threads that start Winsock at the same time may each make this call.
NTSTATUS open(void* block)
{
    const auto& args = *static_cast<OpenArgs*>(block);
    if (args.version != kInterfaceVersion)
        return STATUS_REVISION_MISMATCH;
    set_host_version(args.wine_major);
    afd::Pump::instance().use_caller_thread();
    afd::Endpoint::settle_with_host = settle_with_host;
    return STATUS_SUCCESS;
}

// --- Endpoints

NTSTATUS attach(void* block)
{
    auto& args = *static_cast<AttachArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    int fd;
    if (const NTSTATUS status = open_descriptor(reinterpret_cast<HANDLE>(args.handle), fd);
        !NT_SUCCESS(status))
        return status;
    ob::Ref<afd::Endpoint> endpoint;
    if (const NTSTATUS status = afd::Endpoint::attach(fd, args, endpoint); !NT_SUCCESS(status))
        return status;
    if (args.listener)
        args.has_inherited = endpoint->inherit_selection(endpoint_from(args.listener));
    g_endpoints.fetch_add(1, std::memory_order_relaxed);
    args.endpoint = reinterpret_cast<EndpointId>(endpoint.release());
    args.signal = work.signal();
    return STATUS_SUCCESS;
}

NTSTATUS close(void* block)
{
    auto& args = *static_cast<EndpointArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    endpoint_from(args.endpoint).close_socket().reset();
    args.released = work.released();
    return STATUS_SUCCESS;
}

NTSTATUS abandon(void* block)
{
    auto& args = *static_cast<EndpointArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    endpoint_from(args.endpoint).abandon_socket().reset();
    args.released = work.released();
    return STATUS_SUCCESS;
}

NTSTATUS release(void* block)
{
    auto& args = *static_cast<EndpointArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    endpoint_from(args.endpoint).dereference();
    args.released = work.released();
    return STATUS_SUCCESS;
}

NTSTATUS set_state(void* block)
{
    auto& args = *static_cast<StateArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    endpoint_from(args.endpoint)
        .set_state(static_cast<SocketState>(args.state), args.flags, args.status, args.accepted);
    args.signal = work.signal();
    return STATUS_SUCCESS;
}

// --- Transfers

/// Transfers take the lock while events are recorded.
template <typename Transfer> NTSTATUS transfer(const afd::Endpoint& endpoint, Transfer attempt)
{
    if (!endpoint.is_recording())
        return attempt();
    const Uninterrupted section;
    return attempt();
}

NTSTATUS receive(void* block)
{
    auto& args = *static_cast<TransferArgs*>(block);
    afd::Endpoint& endpoint = endpoint_from(args.endpoint);
    const auto* buffers = reinterpret_cast<const Buffer*>(args.buffers);
    // Reading nothing waits for data and leaves it: the host's business.
    if (!endpoint.can_receive() || !afd::total_length(buffers, args.count))
        return kPassDown;
    HostWork work;
    afd::Address from;
    size_t received = 0;
    const auto attempt = [&] {
        return transfer(endpoint, [&] {
            return endpoint.receive(
                buffers, args.count, args.flags, args.address ? &from : nullptr, &received);
        });
    };
    NTSTATUS status = attempt();
    if (status == STATUS_DEVICE_NOT_READY && args.patience
        && endpoint.socket().wait_ready(afd::kReadyIn | afd::kReadyPeerEnd, args.patience))
        status = attempt();
    if (args.address && from.length && from.length <= args.address_length) {
        __builtin_memcpy(reinterpret_cast<void*>(args.address), from.bytes, from.length);
        args.address_length = from.length;
    }
    args.transferred = received;
    args.signal = work.signal();
    return status;
}

NTSTATUS send(void* block)
{
    auto& args = *static_cast<TransferArgs*>(block);
    afd::Endpoint& endpoint = endpoint_from(args.endpoint);
    const auto* buffers = reinterpret_cast<const Buffer*>(args.buffers);
    if (!endpoint.can_send())
        return kPassDown;
    HostWork work;
    afd::Address to;
    if (args.address) {
        to.length = args.address_length < sizeof(to.bytes) ? args.address_length : sizeof(to.bytes);
        __builtin_memcpy(to.bytes, reinterpret_cast<const void*>(args.address), to.length);
    }
    size_t sent = 0;
    const auto attempt = [&] {
        return transfer(endpoint, [&] {
            return endpoint.send(
                buffers, args.count, args.flags, args.address ? &to : nullptr, &sent);
        });
    };
    NTSTATUS status = attempt();
    if (status == STATUS_DEVICE_NOT_READY && args.patience
        && endpoint.socket().wait_ready(afd::kReadyOut, args.patience))
        status = attempt();
    args.transferred = sent;
    args.signal = work.signal();
    return status;
}

// --- Conditions

NTSTATUS poll(void* block)
{
    auto& args = *static_cast<PollArgs*>(block);
    auto* items = reinterpret_cast<PollItem*>(args.items);
    constexpr uint32_t kOnStack = 64;
    pollfd on_stack[kOnStack];
    pollfd* fds = args.count <= kOnStack
        ? on_stack
        : static_cast<pollfd*>(ke::pool_allocate(args.count * sizeof(pollfd)));
    if (!fds)
        return kPassDown;

    for (uint32_t i = 0; i < args.count; ++i) {
        fds[i].fd = endpoint_from(items[i].endpoint).socket().descriptor();
        fds[i].events = afd::HostSocket::poll_events_from_ready(
            afd::Endpoint::ready_from_conditions(items[i].conditions));
        fds[i].revents = 0;
    }
    int ready = afd::HostSocket::poll_many(fds, args.count, 0);
    if (!ready && args.patience)
        ready = afd::HostSocket::poll_many(fds, args.count, args.patience);
    args.ready = 0;
    for (uint32_t i = 0; i < args.count; ++i) {
        items[i].found = 0;
        if (fds[i].revents) {
            const afd::Endpoint& endpoint = endpoint_from(items[i].endpoint);
            items[i].found = items[i].conditions
                & endpoint.conditions_from_ready(
                    afd::HostSocket::ready_from_poll_events(fds[i].revents));
        }
        args.ready += items[i].found != 0;
    }
    if (fds != on_stack)
        ke::pool_free(fds);
    return STATUS_SUCCESS;
}

NTSTATUS readable(void* block)
{
    auto& args = *static_cast<ReadableArgs*>(block);
    afd::Endpoint& endpoint = endpoint_from(args.endpoint);
    if (!endpoint.can_transfer())
        return kPassDown;
    args.bytes = endpoint.socket().readable_bytes();
    return STATUS_SUCCESS;
}

// --- The record

NTSTATUS select(void* block)
{
    auto& args = *static_cast<SelectArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    ob::Ref<ke::Event> event;
    if (args.event) {
        const NTSTATUS status = ke::Event::create_host_backed(
            host_signal(), reinterpret_cast<HANDLE>(args.event), kNotificationEvent, event);
        if (!NT_SUCCESS(status))
            return status;
    } else if (args.emulated_event) {
        const NTSTATUS status = emulated_events().reference(
            reinterpret_cast<HANDLE>(args.emulated_event), EVENT_MODIFY_STATE, event);
        if (!NT_SUCCESS(status))
            return status;
    }
    ob::Ref<ke::Event> replaced;
    const NTSTATUS status
        = endpoint_from(args.endpoint)
              .select(std::move(event), args.mask, replaced,
                  args.posts_messages ? afd::SelectMode::Message : afd::SelectMode::Event);
    replaced.reset();
    args.signal = work.signal();
    args.released = work.released();
    return status;
}

NTSTATUS get_events(void* block)
{
    auto& args = *static_cast<GetEventsArgs*>(block);
    const Uninterrupted section;
    const HostWork work;
    endpoint_from(args.endpoint).take_events(args.result);
    return STATUS_SUCCESS;
}

NTSTATUS hand_over(void* block)
{
    auto& args = *static_cast<HandOverArgs*>(block);
    const Uninterrupted section;
    HostWork work;
    afd::Endpoint::Selection selection = endpoint_from(args.endpoint).hand_over();
    args.event = 0;
    if (selection.event && selection.event->is_host_backed())
        args.event = share(selection.event->host_event());
    args.mask = selection.mask;
    args.pending = selection.pending;
    args.reported = selection.reported;
    selection.event.reset();
    args.released = work.released();
    return STATUS_SUCCESS;
}

NTSTATUS pump(void* block)
{
    auto& args = *static_cast<PumpArgs*>(block);
    args.settle_count = 0;
    t_pump = &args;
    NTSTATUS status;
    {
        HostWork work(args.signals, args.released, kPumpCapacity);
        const Uninterrupted section;
        status = afd::Pump::instance().run(args.patience, &section.before());
        work.take_orphans();
        args.signal_count = work.signal_count();
        args.released_count = work.released_count();
    }
    t_pump = nullptr;
    return status;
}

NTSTATUS wake_pump(void*)
{
    afd::Pump::instance().wake();
    return STATUS_SUCCESS;
}

NTSTATUS statistics(void* block)
{
    auto& args = *static_cast<StatisticsArgs*>(block);
    args.pump_wakeups = afd::Pump::instance().wakeups();
    args.signals = signals_so_far();
    args.endpoints = g_endpoints.load(std::memory_order_relaxed);
    return STATUS_SUCCESS;
}

} // namespace

} // namespace unix_side

using EntryFunction = NTSTATUS (*)(void*);

extern "C" __attribute__((visibility("default"))) const EntryFunction __wine_unix_call_funcs[] = {
    unix_side::open,
    unix_side::attach,
    unix_side::close,
    unix_side::abandon,
    unix_side::release,
    unix_side::set_state,
    unix_side::receive,
    unix_side::send,
    unix_side::poll,
    unix_side::select,
    unix_side::get_events,
    unix_side::readable,
    unix_side::hand_over,
    unix_side::pump,
    unix_side::wake_pump,
    unix_side::event_create,
    unix_side::event_close,
    unix_side::event_set,
    unix_side::event_reset,
    unix_side::event_wait,
    unix_side::event_convert,
    unix_side::statistics,
};
static_assert(std::size(__wine_unix_call_funcs) == ntke::kCallCount);
