// The entry table of ntke.so: what the PE side can ask of the Linux half. Each function fills in
// its block and returns a status; none waits longer than it is told to. What takes an endpoint's
// lock is not interrupted.
#include <array>
#include <cstring>

#include <poll.h>

#include "afd/pump.h"
#include "afd/socket_file.h"
#include "ke/pool.h"
#include "ke/stoppable.h"
#include "ke/thread.h"
#include "ke/timeline.h"
#include "ke/wait.h"
#include "nt/caller.h"
#include "nt/publish.h"
#include "ob/handle_table.h"
#include "unix/hand_over.h"
#include "unix/host_connections.h"
#include "unix/host_control.h"
#include "unix/host_descriptor.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/message_targets.h"
#include "unix/notifications.h"
#include "unix/own_sockets.h"
#include "unix/port.h"
#include "unix/program_events.h"
#include "unix/registered_io.h"
#include "unix/services.h"
#include "unix/statistics.h"
#include "unix/uninterrupted.h"
#include "unix/wait_place.h"

namespace unix_side {

namespace {

using namespace ntke;

std::atomic<uint64_t> g_endpoints { 0 };

/// Of Wine's versions, that of which it is known; Wine 10 does not. Counterpart:
/// afd::SocketFile::can_host_accept_again.
constexpr uint32_t kAcceptsAgain = 8;

afd::SocketFile& endpoint_from(EndpointId id)
{
    return *reinterpret_cast<afd::SocketFile*>(id);
}

// --- Settling connects with the host

/// Connects for the running round of the pump to hand back.
thread_local PumpArgs* t_pump __attribute__((tls_model("initial-exec"))) = nullptr;

void settle_with_host(afd::Endpoint& endpoint)
{
    if (!t_pump || t_pump->settle_count == kPumpCapacity)
        return;
    endpoint.reference();
    t_pump->settles[t_pump->settle_count++] = { afd::ptr64(&endpoint), endpoint.host_handle() };
}

/// Threads that start Winsock at the same time may each make this call.
NTSTATUS open(void* block)
{
    auto& args = *static_cast<OpenArgs*>(block);
    if (args.version != kInterfaceVersion)
        return STATUS_REVISION_MISMATCH;
    set_host_version(args.wine_major);
    static ke::Lock lock;
    ke::LockGuard guard(lock);
    if (service_table::is_taken())
        return STATUS_SUCCESS;
    const char* why = host::find_services();
    if (!why)
        why = take_stops();
    if (!why) {
        ke::g_let_stops_in = let_stops_in;
        ke::g_hold_stops_off = hold_stops_off;
        host_threads::set_starts(args.pump_start, args.relay_start);
        host_threads::connect();
        ke::timeline::g_thread_number = host_threads::number_of_current;
        afd::Pump::instance().use_caller_thread();
        afd::Endpoint::settle_with_host = settle_with_host;
        afd::SocketFile::open_host_descriptor = [](uint64_t handle, int& fd) {
            return open_descriptor(reinterpret_cast<HANDLE>(handle), fd);
        };
        afd::SocketFile::can_host_accept_again = args.wine_major == kAcceptsAgain;
        afd::SocketFile::unmap_view
            = [](void* address) { host::unmap_view_of_section(nt::current_process(), address); };
        afd::SocketFile::accept_by_host = accept_by_host;
        afd::SocketFile::connect_by_host = connect_by_host;
        afd::SocketFile::find_event = program_events::reference;
        afd::SocketFile::give_to_host = [](afd::SocketFile& socket) { hand_over(socket); };
        afd::SocketFile::publish_own = [](afd::SocketFile& socket, HANDLE& handle) {
            return own_sockets::publish(socket, Inheritable::Yes, handle); // as every accepted one
        };
        why = services::take();
        if (why)
            give_stops_back();
    }
    if (!why)
        return STATUS_SUCCESS;
    std::strncpy(args.why, why, sizeof(args.why) - 1);
    return STATUS_NOT_SUPPORTED;
}

/// The same for a 32-bit program over 64-bit Linux code.
NTSTATUS open_for_wow64(void* block)
{
    nt::g_is_wow64 = true;
    return open(block);
}

// --- Endpoints

/// A socket fresh from the host, so whatever is attached to its handle and has been a socket before
/// is one whose close was not seen.
NTSTATUS attach(void* block)
{
    auto& args = *static_cast<AttachArgs*>(block);
    const Uninterrupted section;
    ob::HandleTable& table = ob::HandleTable::current();
    const HANDLE handle = reinterpret_cast<HANDLE>(args.handle);
    ob::Ref<io::File> known;
    table.reference(handle, 0, known);
    ob::Ref<afd::SocketFile> endpoint
        = ob::Ref<afd::SocketFile>::share(known ? afd::SocketFile::from(*known) : nullptr);
    const bool is_own = endpoint && endpoint->is_own() && args.family == afd::kFamilyUnix;
    // Of what was left to the host for its other handles, these are gone by now.
    const bool is_anew = endpoint
        && (endpoint->is_created() || (endpoint->is_left_to_host() && args.has_been_elsewhere));
    const bool is_seen = endpoint && !endpoint->is_created() && !args.has_been_elsewhere;
    afd::SocketFile* const listener = args.listener ? &endpoint_from(args.listener) : nullptr;
    if (is_own) {
        endpoint->set_serial(args.serial);
    } else if (!endpoint || is_anew) {
        endpoint = afd::SocketFile::make_hosted(args.handle,
            args.is_synchronous ? io::File::Mode::Synchronous : io::File::Mode::Asynchronous);
        if (!endpoint)
            return STATUS_NO_MEMORY;
        const NTSTATUS status = table.attach(handle, *endpoint, endpoint->type().valid_access, 0);
        if (!NT_SUCCESS(status))
            return status;
    }
    endpoint->tell_created(args, is_seen, listener);
    args.inherited = listener ? inherit(*listener, *endpoint, args.was_on_host) : kInheritsNothing;
    g_endpoints.fetch_add(1, std::memory_order_relaxed);
    args.endpoint = afd::ptr64(endpoint.release());
    return STATUS_SUCCESS;
}

NTSTATUS close(void* block)
{
    endpoint_from(static_cast<EndpointArgs*>(block)->endpoint).note_owner_closes();
    return STATUS_SUCCESS;
}

NTSTATUS release(void* block)
{
    const Uninterrupted section;
    endpoint_from(static_cast<EndpointArgs*>(block)->endpoint).dereference();
    return STATUS_SUCCESS;
}

NTSTATUS connect_ended(void* block)
{
    const auto& args = *static_cast<ConnectEndedArgs*>(block);
    const Uninterrupted section;
    endpoint_from(args.endpoint).note_connect_ended(args.status);
    return STATUS_SUCCESS;
}

/// Makes sure of a socket's descriptor, for calls that take no lock otherwise. What was left to the
/// host has requests there.
bool can_be_used(afd::SocketFile& endpoint)
{
    if (endpoint.is_left_to_host()) [[unlikely]]
        return false;
    if (endpoint.has_descriptor()) [[likely]]
        return true;
    const Uninterrupted section;
    return NT_SUCCESS(endpoint.open_descriptor());
}

/// The same for polls of one call. What is being connected changes its state in a request.
bool can_be_polled(afd::SocketFile& endpoint)
{
    return (endpoint.can_transfer() || endpoint.state() == SocketState::Listening)
        && can_be_used(endpoint);
}

// --- Transfers

/// The buffers of a transfer in the form that Linux wants; where it is another one, in `room`.
const afd::Buffer* linux_buffers(const TransferArgs& args, afd::Buffer (&room)[kMostBuffers])
{
    const auto* given = reinterpret_cast<const Buffer*>(args.buffers);
    if constexpr (sizeof(Buffer) == sizeof(afd::Buffer))
        return reinterpret_cast<const afd::Buffer*>(given);
    for (uint32_t i = 0; i < args.count; ++i)
        room[i] = { static_cast<uintptr_t>(given[i].data), static_cast<size_t>(given[i].length) };
    return room;
}

/// Waits up to `microseconds` for a socket to be ready; false: it is not.
bool wait_ready(afd::SocketFile& endpoint, uint32_t ready, uint32_t microseconds)
{
    const ke::Stoppable section(ke::WhenSuspended::KeepsPlace);
    return endpoint.socket().wait_ready(ready, microseconds);
}

/// A transfer, `attempt()`, and once more when the socket has become ready for it meanwhile.
template <typename Attempt>
NTSTATUS transfer(
    const TransferArgs& args, afd::SocketFile& endpoint, uint32_t ready, Attempt attempt)
{
    const NTSTATUS status = attempt();
    return status == STATUS_DEVICE_NOT_READY && args.patience
            && wait_ready(endpoint, ready, args.patience)
        ? attempt()
        : status;
}

NTSTATUS receive(void* block)
{
    auto& args = *static_cast<TransferArgs*>(block);
    const Uninterrupted section;
    afd::SocketFile& endpoint = endpoint_from(args.endpoint);
    const afd::SocketUse use(endpoint);
    if (!use.is_valid())
        return STATUS_INVALID_HANDLE;
    afd::Buffer room[kMostBuffers];
    const afd::Buffer* buffers = linux_buffers(args, room);
    // Reading nothing waits for data and leaves it: a request.
    if (!endpoint.can_receive() || !afd::total_length(buffers, args.count)
        || !can_be_used(endpoint))
        return kPassDown;
    afd::Address from;
    size_t received = 0;
    const NTSTATUS status = transfer(args, endpoint, afd::kReadyIn | afd::kReadyPeerEnd, [&] {
        return endpoint.receive_now(
            buffers, args.count, args.flags, args.address ? &from : nullptr, &received);
    });
    if (args.address && from.length && from.length <= args.address_length) {
        __builtin_memcpy(reinterpret_cast<void*>(args.address), from.bytes, from.length);
        args.address_length = from.length;
    }
    args.transferred = received;
    return status;
}

NTSTATUS send(void* block)
{
    auto& args = *static_cast<TransferArgs*>(block);
    const Uninterrupted section;
    afd::SocketFile& endpoint = endpoint_from(args.endpoint);
    const afd::SocketUse use(endpoint);
    if (!use.is_valid())
        return STATUS_INVALID_HANDLE;
    afd::Buffer room[kMostBuffers];
    const afd::Buffer* buffers = linux_buffers(args, room);
    if (!endpoint.can_send() || !can_be_used(endpoint))
        return kPassDown;
    afd::Address to;
    if (args.address) {
        to.length = args.address_length < sizeof(to.bytes) ? args.address_length : sizeof(to.bytes);
        __builtin_memcpy(to.bytes, reinterpret_cast<const void*>(args.address), to.length);
    }
    size_t sent = 0;
    const NTSTATUS status = transfer(args, endpoint, afd::kReadyOut, [&] {
        return endpoint.send_now(
            buffers, args.count, args.flags, args.address ? &to : nullptr, &sent);
    });
    args.transferred = sent;
    return status;
}

// --- Conditions

/// The sockets of a poll, their descriptors open meanwhile. Owner: the call's frame.
class PolledSockets {
public:
    explicit PolledSockets(PollArgs& args)
        : m_items(reinterpret_cast<PollItem*>(args.items))
        , m_count(args.count)
    {
        if (m_count > kInline)
            m_fds = static_cast<pollfd*>(ke::pool_allocate(m_count * sizeof(pollfd)));
    }
    ~PolledSockets()
    {
        while (m_used)
            endpoint_from(m_items[--m_used].endpoint).end_use();
        if (m_fds != m_inline)
            ke::pool_free(m_fds);
    }
    PolledSockets(const PolledSockets&) = delete;

    /// False: one of them cannot be polled here.
    bool open()
    {
        for (; m_fds && m_used < m_count; ++m_used) {
            afd::SocketFile& socket = endpoint_from(m_items[m_used].endpoint);
            if (!socket.begin_use())
                return false;
            if (!can_be_polled(socket)) {
                socket.end_use();
                return false;
            }
            m_fds[m_used] = { socket.socket().descriptor(),
                afd::HostSocket::poll_events_from_ready(
                    afd::Endpoint::ready_from_conditions(m_items[m_used].conditions)),
                0 };
        }
        return m_fds;
    }
    int ask(uint32_t microseconds)
    {
        const ke::Stoppable section(ke::WhenSuspended::KeepsPlace);
        return afd::HostSocket::poll_many(m_fds, m_count, microseconds);
    }
    uint32_t tell()
    {
        uint32_t ready = 0;
        for (uint32_t i = 0; i < m_count; ++i) {
            PollItem& item = m_items[i];
            item.found = 0;
            if (m_fds[i].revents)
                item.found = item.conditions
                    & endpoint_from(item.endpoint)
                          .unclaimed_conditions(
                              afd::HostSocket::ready_from_poll_events(m_fds[i].revents));
            ready += item.found != 0;
        }
        return ready;
    }

private:
    static constexpr uint32_t kInline = 64;
    PollItem* m_items;
    uint32_t m_count;
    uint32_t m_used = 0;
    pollfd m_inline[kInline];
    pollfd* m_fds = m_inline;
};

NTSTATUS poll(void* block)
{
    auto& args = *static_cast<PollArgs*>(block);
    const Uninterrupted section;
    PolledSockets sockets(args);
    if (!sockets.open())
        return kPassDown;
    if (!sockets.ask(0) && args.patience)
        sockets.ask(args.patience);
    args.ready = sockets.tell();
    return STATUS_SUCCESS;
}

// --- The record

/// Selects messages to a window, or with mask 0 nothing.
NTSTATUS select_messages(void* block)
{
    auto& args = *static_cast<SelectMessagesArgs*>(block);
    const Uninterrupted section;
    ob::Ref<ke::Event> event;
    if (args.target) {
        const NTSTATUS status
            = message_targets::make_event(*reinterpret_cast<MessageTarget*>(args.target), event);
        if (!NT_SUCCESS(status))
            return status;
    }
    ob::Ref<ke::Event> replaced;
    afd::SocketFile& endpoint = endpoint_from(args.endpoint);
    const afd::SocketUse use(endpoint);
    const bool is_usable = use.is_valid() && !endpoint.is_left_to_host();
    NTSTATUS status = is_usable ? endpoint.open_descriptor() : STATUS_INVALID_HANDLE;
    if (NT_SUCCESS(status))
        status = endpoint.select_events(std::move(event), args.mask, replaced,
            args.target ? afd::SelectMode::Message : afd::SelectMode::Event);
    return status;
}

/// The record, for the messages to a window.
NTSTATUS take_messages(void* block)
{
    auto& args = *static_cast<TakeMessagesArgs*>(block);
    const Uninterrupted section;
    afd::SocketFile& endpoint = endpoint_from(args.endpoint);
    const afd::SocketUse use(endpoint);
    return use.is_valid()
        ? endpoint.take_messages(reinterpret_cast<HANDLE>(args.target), args.result)
        : STATUS_INVALID_HANDLE;
}

/// The socket with this handle, if the host has it, too.
ob::Ref<afd::SocketFile> socket_of_host(HANDLE handle)
{
    ob::Ref<io::File> file;
    ob::HandleTable::current().reference(handle, 0, file);
    afd::SocketFile* const socket = file ? afd::SocketFile::from(*file) : nullptr;
    return ob::Ref<afd::SocketFile>::share(socket && !socket->is_own() ? socket : nullptr);
}

NTSTATUS give_to_host(void* block)
{
    auto& args = *static_cast<HandOverArgs*>(block);
    const Uninterrupted section;
    const bool is_by_handle = !args.endpoint;
    const HANDLE handle = reinterpret_cast<HANDLE>(args.handle);
    ob::Ref<afd::SocketFile> found;
    if (is_by_handle) {
        found = socket_of_host(handle);
        if (!found)
            return STATUS_SUCCESS; // nobody but the host knows it
        args.endpoint = afd::ptr64(found.get());
        args.handle = found->host_handle();
    }
    afd::SocketFile& socket = endpoint_from(args.endpoint);
    const MessageSelection selection = is_by_handle ? hand_over(socket, handle) : hand_over(socket);
    args.mask = selection.mask;
    args.reported = selection.reported;
    return STATUS_SUCCESS;
}

// --- The pump

bool note_closed(void* context, uint64_t host_handle, uint64_t serial)
{
    auto& args = *static_cast<PumpArgs*>(context);
    if (args.close_count == kPumpCapacity)
        return false;
    args.closes[args.close_count++] = { host_handle, serial };
    return true;
}

NTSTATUS pump(void* block)
{
    auto& args = *static_cast<PumpArgs*>(block);
    host_threads::note_runs_helper();
    args.settle_count = 0;
    t_pump = &args;
    NTSTATUS status;
    {
        const Uninterrupted section;
        status = afd::Pump::instance().run(args.patience);
        host_threads::end_stopped();
        args.targets = afd::ptr64(message_targets::take());
        args.close_count = 0;
        afd::SocketFile::take_closed(note_closed, &args);
    }
    t_pump = nullptr;
    return status;
}

NTSTATUS start_pump(void*)
{
    const Uninterrupted section;
    return host_threads::start_pump();
}

NTSTATUS create_event(void* block)
{
    auto& args = *static_cast<CreateEventArgs*>(block);
    const Uninterrupted section;
    HANDLE event = nullptr;
    const NTSTATUS status = program_events::create(&event);
    args.event = afd::ptr64(event);
    return status;
}

NTSTATUS create_unix(void* block)
{
    auto& args = *static_cast<CreateUnixArgs*>(block);
    const Uninterrupted section;
    HANDLE handle = nullptr;
    const NTSTATUS status
        = own_sockets::create(args.is_inheritable ? Inheritable::Yes : Inheritable::No, handle);
    args.socket = afd::ptr64(handle);
    return status;
}

NTSTATUS serve_source(void*)
{
    services::look_around();
    return STATUS_SUCCESS;
}

NTSTATUS is_helper(void* block)
{
    auto& args = *static_cast<IsHelperArgs*>(block);
    const Uninterrupted section;
    args.is_helper = host_threads::is_helper(args.thread);
    return STATUS_SUCCESS;
}

/// Newer hosts give a thread a handle with the first removal of its that finds nothing. Here it
/// gets that before it is taken to have arrived (host_threads::start_relay).
void remove_from_empty_port()
{
    constexpr ACCESS_MASK kModifyState = 0x0002; // IO_COMPLETION_MODIFY_STATE
    HANDLE port = nullptr;
    if (!NT_SUCCESS(host::create_io_completion(&port, kModifyState, nullptr, 0)))
        return;
    CompletionPacket packet;
    ULONG removed = 0;
    const LARGE_INTEGER no_wait {};
    host::remove_io_completion_ex(port, &packet, 1, &removed, &no_wait, FALSE);
    host::close(port);
}

NTSTATUS relay(void* number)
{
    remove_from_empty_port();
    host_threads::note_runs_helper();
    if (Port* port = Port::with_number(number))
        port->relay();
    return STATUS_SUCCESS;
}

NTSTATUS wake_pump(void*)
{
    afd::Pump::instance().wake();
    return STATUS_SUCCESS;
}

NTSTATUS tell_statistics(void* block)
{
    auto& args = *static_cast<StatisticsArgs*>(block);
    args.pump_wakeups = afd::Pump::instance().wakeups();
    args.signals = program_events::sets_so_far();
    args.endpoints = g_endpoints.load(std::memory_order_relaxed);
    statistics::tell(args);
    return STATUS_SUCCESS;
}

NTSTATUS record(void* block)
{
    auto& args = *static_cast<RecordArgs*>(block);
    args.ring
        = afd::ptr64(ke::timeline::adopt(*reinterpret_cast<ke::timeline::Header*>(args.header),
            reinterpret_cast<ke::timeline::Ring*>(args.ring), args.thread));
    return STATUS_SUCCESS;
}

} // namespace

} // namespace unix_side

using EntryFunction = NTSTATUS (*)(void*);

using Calls = std::array<EntryFunction, ntke::kCallCount>;

/// Every call but the first takes the same from all programs.
constexpr Calls calls(EntryFunction open)
{
    return {
        open,
        unix_side::attach,
        unix_side::close,
        unix_side::release,
        unix_side::connect_ended,
        unix_side::receive,
        unix_side::send,
        unix_side::poll,
        unix_side::select_messages,
        unix_side::take_messages,
        unix_side::give_to_host,
        unix_side::start_pump,
        unix_side::pump,
        unix_side::relay,
        unix_side::is_helper,
        unix_side::wake_pump,
        unix_side::create_event,
        unix_side::tell_statistics,
        registered_io::open_queue,
        registered_io::close_queue,
        registered_io::serve_queue,
        registered_io::submit,
        notifications::open_port,
        unix_side::record,
        unix_side::create_unix,
        unix_side::serve_source,
    };
}
static_assert(calls(unix_side::open).back());

extern "C" {
__attribute__((visibility("default"))) extern constinit const Calls __wine_unix_call_funcs
    = calls(unix_side::open);
/// The one that Wine gives to a 32-bit program over its 64-bit Linux half.
__attribute__((visibility("default"))) extern constinit const Calls __wine_unix_call_wow64_funcs
    = calls(unix_side::open_for_wow64);
}
