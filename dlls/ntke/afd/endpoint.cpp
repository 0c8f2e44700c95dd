#include "afd/endpoint.h"

#include "afd/pump.h"
#include "afd/thread_pump.h"
#include "ke/backoff.h"
#include "ke/timeline.h"

namespace afd {

namespace {

constexpr uint32_t kMsgOob = 1;
constexpr uint32_t kMsgPeek = 2;

/// What Linux tells of a stream that goes no further.
constexpr uint32_t kReadyEnds = kReadyHangUp | kReadyError | kReadyPeerEnd;

constexpr uint32_t bits_if(bool condition, uint32_t bits)
{
    return condition ? bits : 0;
}

} // namespace

Endpoint::Endpoint(Mode mode)
    : File(mode)
{
}

ob::Ref<ke::Event> Endpoint::close_socket()
{
    ke::LockGuard guard(m_lock);
    if (m_is_closed)
        return {};
    m_is_closed = true;
    ob::Ref<ke::Event> event = stop_recording();
    m_socket.close();
    return event;
}

ob::Ref<ke::Event> Endpoint::stop_recording()
{
    if (std::exchange(m_is_watched, false)) {
        if (ThreadPump* pump = std::exchange(m_thread_pump, nullptr))
            pump->remove(*this);
        Pump::instance().unwatch(*this);
    }
    if (std::exchange(m_watched_by_port, PortWatch::None) != PortWatch::None)
        m_port_pump.load(std::memory_order_relaxed)->unwatch(*this);
    m_is_recording = false;
    m_record = EventRecord(); // nobody inherits a mask without its event
    return std::move(m_event);
}

// --- Transfers

NTSTATUS Endpoint::receive_unrecorded(
    const Buffer* buffers, uint32_t count, uint32_t flags, Address* from, size_t* received)
{
    *received = 0;
    NTSTATUS status = m_socket.receive(buffers, count, flags, from, received);
    if (m_family == kFamilyUnix && !(flags & kMsgPeek))
        m_bytes_read.fetch_add(*received, std::memory_order_relaxed);
    // Linux does not tell urgent data that is not there from a request that makes no sense.
    // [recv/15]
    if (status == STATUS_INVALID_PARAMETER && (flags & kMsgOob) && !has(ntke::kSocketOobInline))
        status = STATUS_DEVICE_NOT_READY;
    if (status == STATUS_SUCCESS && (flags & (kMsgOob | kMsgPeek)) == kMsgOob)
        m_has_read_urgent.store(true, std::memory_order_relaxed);
    // The end of a stream, or a reset of which the error has been read by somebody else: a
    // connection that is gone although we have not ended it was reset.
    if (status == STATUS_SUCCESS && !*received && is_stream() && total_length(buffers, count)
        && (!has(ntke::kSocketSendShutDown) || m_has_told_reset.load(std::memory_order_relaxed))
        && stream_state().link == LinkState::Dead)
        status = m_socket.has_peer_ended() ? STATUS_CONNECTION_ABORTED // [recv/20]
                                           : STATUS_CONNECTION_RESET;
    if ((status == STATUS_CONNECTION_RESET || status == STATUS_CONNECTION_ABORTED) && is_stream())
        m_has_told_reset.store(true, std::memory_order_relaxed); // Linux tells it once
    return status;
}

void Endpoint::note_inline()
{
    if (m_has_read_urgent.exchange(false, std::memory_order_relaxed))
        m_socket.pass_inline_urgent();
}

NTSTATUS Endpoint::send_unrecorded(const Buffer* buffers, uint32_t count, uint32_t flags,
    const Address* to, size_t* sent, const HostSocket::Control* control)
{
    *sent = 0;
    // A stream that is to send nothing is asked whether there is room. [WSAEventSelect/39]
    if (is_stream() && !total_length(buffers, count))
        return m_socket.ready_now() & kReadyOut ? STATUS_SUCCESS : STATUS_DEVICE_NOT_READY;
    const NTSTATUS status = m_socket.send(buffers, count, flags, to, sent, control);
    // The port of an earlier datagram was unreachable. That is for the next receive to tell; this
    // datagram has not been sent yet. [sendto/6]
    if (status == STATUS_CONNECTION_REFUSED && !is_stream())
        return m_socket.send(buffers, count, flags, to, sent, control);
    if (status == STATUS_CONNECTION_RESET && !has(ntke::kSocketSendShutDown))
        m_has_told_reset.store(true, std::memory_order_relaxed); // Linux tells it once
    return status;
}

void Endpoint::note_receive(uint32_t flags, size_t asked, size_t received, NTSTATUS status)
{
    if (!is_recording())
        return;
    // A datagram is gone, wherever it went to.
    const bool could_not_begin
        = status == STATUS_ACCESS_VIOLATION && (is_stream() || (flags & kMsgPeek));
    Signal signal;
    ke::LockGuard guard(m_lock);
    m_has_had_urgent |= (flags & kMsgOob) != 0;
    if (m_mark_seen != kNoMark && !(flags & (kMsgOob | kMsgPeek)))
        m_mark_seen = received <= m_mark_seen // more: it has moved on, or is gone
            ? m_mark_seen - static_cast<uint32_t>(received)
            : kNoMark;
    // A stream that gave less than was asked for is empty, unless it stopped at an urgent byte;
    // what comes now is told by the pump.
    const bool is_drained = is_stream() && !m_has_had_urgent && !(flags & (kMsgOob | kMsgPeek))
        && (received < asked || status != 0);
    // A receive that could not begin re-enables an event's condition not, a message's it does.
    // [WSAEventSelect/49] [WSAAsyncSelect/11]
    if (could_not_begin && !posts_messages())
        return;
    re_enable(flags & kMsgOob ? kPollReceiveExpedited : kPollReceive,
        !is_drained || could_not_begin, signal);
}

void Endpoint::note_full()
{
    if (!is_recording())
        return;
    Signal signal;
    ke::LockGuard guard(m_lock);
    re_enable(kPollSend, true, signal);
}

void Endpoint::look_before_urgent_receive(uint32_t flags)
{
    if (!(flags & kMsgOob) || !is_recording())
        return;
    Signal signal;
    ke::LockGuard guard(m_lock);
    refresh(signal);
}

NTSTATUS Endpoint::receive(
    const Buffer* buffers, uint32_t count, uint32_t flags, Address* from, size_t* received)
{
    look_before_urgent_receive(flags);
    const NTSTATUS status = receive_unrecorded(buffers, count, flags, from, received);
    if (is_recording())
        note_receive(flags, total_length(buffers, count), *received, status);
    return status;
}

NTSTATUS Endpoint::send(
    const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to, size_t* sent)
{
    const NTSTATUS status = send_unrecorded(buffers, count, flags, to, sent);
    if (status == STATUS_DEVICE_NOT_READY)
        note_full();
    return status;
}

// --- Conditions

HostSocket::TcpState Endpoint::stream_state() const
{
    return m_family == kFamilyUnix ? unix_stream_state() : m_socket.tcp_state();
}

uint32_t Endpoint::ready_from_conditions(uint32_t conditions)
{
    uint32_t ready = 0;
    if (conditions & (kPollReceive | kPollAccept))
        ready |= kReadyIn | kReadyUrgent;
    if (conditions & kPollReceiveExpedited)
        ready |= kReadyUrgent;
    if (conditions & kPollSend)
        ready |= kReadyOut;
    if (conditions & kPollDisconnect)
        ready |= kReadyPeerEnd;
    return ready; // errors and hang-ups are always told
}

uint32_t Endpoint::conditions_from_ready(uint32_t ready) const
{
    switch (state()) {
    case SocketState::Listening:
        return bits_if(ready & kReadyIn, kPollAccept);
    case SocketState::Datagram:
        // An error waits for the next receive. [recvfrom/10]
        return bits_if(ready & (kReadyIn | kReadyError), kPollReceive)
            | bits_if(ready & kReadyOut, kPollSend);
    case SocketState::ConnectFailed:
        return kPollConnectFail;
    case SocketState::Connected:
        break;
    default:
        return 0;
    }

    uint32_t conditions = kPollConnect;
    if (ready & kReadyOut)
        conditions |= kPollSend;
    const bool has_ended = ready & kReadyEnds;
    if (was_reset(ready))
        return conditions | kPollAbort; // hides data and end [WSAEventSelect/59]
    conditions |= data_from_ready(ready);
    if (has_ended)
        conditions |= kPollDisconnect;
    return conditions;
}

uint32_t Endpoint::data_from_ready(uint32_t ready) const
{
    uint32_t conditions = 0;
    if (ready & kReadyUrgent)
        conditions |= has(ntke::kSocketOobInline) ? kPollReceive : kPollReceiveExpedited;
    // At its end a stream is always readable for Linux.
    const bool has_ended = ready & kReadyEnds;
    if ((ready & kReadyIn) && (!has_ended || has_unread_data()))
        conditions |= kPollReceive;
    return conditions;
}

bool Endpoint::has_unread_data() const
{
    if (m_socket.readable_bytes())
        return true;
    if (!m_socket.is_at_mark())
        return false;
    // What is behind an urgent byte is not counted.
    uint8_t byte;
    const Buffer buffer { reinterpret_cast<uintptr_t>(&byte), 1 };
    size_t received = 0;
    if (m_socket.receive(&buffer, 1, kMsgPeek, nullptr, &received) == STATUS_CONNECTION_RESET)
        m_has_told_reset.store(true, std::memory_order_relaxed);
    return received != 0;
}

bool Endpoint::was_reset(uint32_t ready) const
{
    // A reset brings the error a moment before it changes the state.
    if (ready & kReadyError)
        return true;
    if (!(ready & kReadyHangUp) || stream_state().link != LinkState::Dead)
        return false;
    // A connection that both sides have ended is dead too.
    return m_has_told_reset.load(std::memory_order_relaxed) || !has(ntke::kSocketSendShutDown);
}

// --- The record

void Endpoint::note(uint32_t condition, NTSTATUS status, Signal& signal)
{
    const bool is_told = m_record.record(condition, status);
    ke::timeline::note_status(
        ke::timeline::kRecorded, m_host_handle, status, condition, m_record.mask(), is_told);
    if (!is_told)
        return;
    signal.raise(m_event, *this, m_raises);
    follow(*m_event);
}

void Endpoint::re_enable(uint32_t conditions, bool look, Signal& signal)
{
    m_record.re_enable(conditions);
    if (look)
        refresh(signal);
}

uint64_t Endpoint::take_arrivals(uint32_t conditions)
{
    if (!is_stream()) {
        const uint32_t memory = m_socket.queued_memory();
        const uint32_t before = std::exchange(m_memory_seen, memory);
        return memory > before ? memory - before : 0;
    }
    // The peer's FIN counts as a byte; what a reset brings does not.
    m_has_seen_end |= (conditions & kPollDisconnect) != 0;
    const uint64_t arrived = stream_state().bytes_received - (m_has_seen_end ? 1 : 0);
    const uint64_t before = std::exchange(m_bytes_seen, arrived);
    return arrived > before ? arrived - before : 0;
}

void Endpoint::refresh_data(uint32_t conditions, uint32_t ready, Signal& signal)
{
    uint64_t arrivals = take_arrivals(conditions);
    if (posts_messages())
        arrivals = 0; // only what is re-enabled is told again
    if (ready & kReadyUrgent)
        m_has_had_urgent = true;
    const uint32_t mark_before = std::exchange(m_mark_seen, kNoMark);
    if (conditions & kPollReceiveExpedited) {
        // More data behind an urgent byte leaves the mark where it is.
        m_mark_seen = m_socket.readable_bytes();
        const bool is_open = m_record.is_open(kPollReceiveExpedited);
        const bool is_new
            = arrivals && (is_open || m_mark_seen != mark_before || !(conditions & kPollReceive));
        if (is_new)
            --arrivals; // it is no news of data
        if (is_new || is_open)
            note(kPollReceiveExpedited, STATUS_SUCCESS, signal);
    }
    if ((conditions & kPollReceive) && (arrivals || m_record.is_open(kPollReceive)))
        note(kPollReceive, STATUS_SUCCESS, signal);
}

/// Who was accepted has not connected.
bool Endpoint::is_connection_untold() const
{
    return has(ntke::kSocketConnected | ntke::kSocketHasPeer) && m_record.is_open(kPollConnect);
}

/// As a rule the pump has just looked, and nothing has come since. Data and the peer's FIN change
/// the count; room and the connection itself are no news once they are in the record.
bool Endpoint::is_up_to_date() const
{
    if (state() != SocketState::Connected || posts_messages() || m_has_had_urgent || m_has_seen_end
        || m_has_told_reset.load(std::memory_order_relaxed))
        return false;
    if (m_record.is_open(kPollReceive) || m_record.is_open(kPollSend) || is_connection_untold())
        return false;
    const HostSocket::TcpState tcp = stream_state();
    return tcp.link == LinkState::Open && tcp.bytes_received == m_bytes_seen;
}

void Endpoint::refresh(Signal& signal)
{
    if (m_is_closed)
        return;
    const SocketState now = state();
    if (now == SocketState::Unconnected || now == SocketState::Connecting
        || (now == SocketState::Datagram && !has(ntke::kSocketBound) && !posts_messages()))
        return; // [WSAEventSelect/19] [WSAEventSelect/65]
    const uint32_t ready = m_socket.ready_now();
    uint32_t conditions = conditions_from_ready(ready);
    // What came before a reset is recorded, and still there.
    if (conditions & kPollAbort)
        conditions |= data_from_ready(ready);
    // For a moment Linux calls the peer's end readable, before it calls it an end.
    if (is_stream() && (conditions & kPollReceive) && !(ready & kReadyEnds) && !has_unread_data())
        conditions &= ~kPollReceive;
    conditions &= ~claimed_conditions();
    if (now == SocketState::Listening) {
        const uint64_t arrived = m_connections_accepted + stream_state().queued_connections;
        const bool is_new = arrived > m_connections_seen && !posts_messages();
        m_connections_seen = arrived;
        if ((conditions & kPollAccept) && (is_new || m_record.is_open(kPollAccept)))
            note(kPollAccept, STATUS_SUCCESS, signal);
        return;
    }
    if (now == SocketState::ConnectFailed) {
        note(kPollConnectFail, m_connect_status, signal); // once [WSAEventSelect/14]
        return;
    }
    if (is_connection_untold())
        note(kPollConnect, STATUS_SUCCESS, signal);
    // Linux calls a socket writable that can send no more. [WSAEventSelect/57]
    if ((conditions & kPollSend) && !(conditions & kPollAbort) && !has(ntke::kSocketSendShutDown)
        && m_record.is_open(kPollSend))
        note(kPollSend, STATUS_SUCCESS, signal);
    if (conditions & (kPollReceive | kPollReceiveExpedited)) {
        if (!has(ntke::kSocketReceiveShutDown))
            refresh_data(conditions, ready, signal);
    } else {
        m_mark_seen = kNoMark;
    }
    for (const uint32_t end : { kPollAbort, kPollDisconnect }) {
        if (conditions & end)
            note(end, STATUS_SUCCESS, signal);
    }
}

void Endpoint::on_ready(uint32_t ready)
{
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (m_is_closed)
        return;
    if (state() == SocketState::Connecting)
        settle_connect(ready, signal);
    else if (m_is_recording.load(std::memory_order_relaxed))
        refresh(signal);
}

NTSTATUS Endpoint::watch()
{
    if (!m_is_watched) {
        const NTSTATUS status = Pump::instance().watch(*this);
        m_is_watched = NT_SUCCESS(status);
        return status;
    }
    if (std::exchange(m_is_muted, false))
        watcher().unmute(*this);
    return STATUS_SUCCESS;
}

Watcher& Endpoint::watcher()
{
    if (m_thread_pump)
        return *m_thread_pump;
    return Pump::instance();
}

void Endpoint::follow(ke::Event& event)
{
    ke::DispatcherObject& state = event.state();
    state.note_set_by_files(ThreadPump::own);
    auto* const pump = static_cast<ThreadPump*>(state.source());
    if (!pump || pump == m_thread_pump || !m_is_watched || m_is_muted || !can_transfer())
        return;
    if (!NT_SUCCESS(pump->add(*this)))
        return; // stays where it is
    if (m_thread_pump)
        m_thread_pump->remove(*this);
    else
        Pump::instance().unwatch_for_now(*this);
    m_thread_pump = pump;
}

void Endpoint::leave_thread_pump()
{
    if (ThreadPump* pump = std::exchange(m_thread_pump, nullptr)) {
        Pump::instance().watch_again(*this);
        pump->remove(*this);
    }
}

NTSTATUS Endpoint::watch_by_port(PortWatch what)
{
    if (m_watched_by_port >= what)
        return STATUS_SUCCESS;
    Pump& pump = *m_port_pump.load(std::memory_order_relaxed);
    if (m_watched_by_port != PortWatch::None) {
        pump.unmute(*this);
    } else {
        const NTSTATUS status
            = what == PortWatch::Arrivals ? pump.watch_arrivals(*this) : pump.watch(*this);
        if (!NT_SUCCESS(status))
            return status;
    }
    m_watched_by_port = what;
    return STATUS_SUCCESS;
}

void Endpoint::mute()
{
    if (m_is_watched && !std::exchange(m_is_muted, true))
        watcher().mute(*this);
}

/// Everything that is true is posted again, but a connection only if it is made from now on.
/// [WSAAsyncSelect/5]
void Endpoint::begin_message_select()
{
    const SocketState now = state();
    m_record.re_enable(~uint32_t { kPollConnect | kPollConnectFail });
    if (now == SocketState::Connected || now == SocketState::Datagram)
        m_record.suppress(kPollConnect);
}

NTSTATUS Endpoint::select(
    ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced, SelectMode mode)
{
    const NTSTATUS status = exchange_selection(std::move(event), mask, replaced, mode);
    if (replaced && replaced->is_on_host())
        wait_for_raises();
    return status;
}

/// Another thread may have found something a moment ago, and be on its way to set the event. One
/// that has ended there, with the process, never arrives.
void Endpoint::wait_for_raises() const
{
    constexpr int64_t kPatience = 1'000'000; // a tenth of a second
    ke::await([this] { return !m_raises.load(std::memory_order_acquire); }, kPatience);
}

NTSTATUS Endpoint::exchange_selection(
    ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced, SelectMode mode)
{
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (m_is_closed)
        return STATUS_INVALID_HANDLE;
    if (records_on_host())
        return ntke::kPassDown;
    if (mask) {
        if (const NTSTATUS status = watch(); !NT_SUCCESS(status))
            return status;
        m_is_recording.store(true, std::memory_order_release);
    } else if (m_record.mask() && !is_busy()) {
        mute(); // what arrives meanwhile shows at the next selection
    }
    replaced = std::exchange(m_event, std::move(event));
    if (m_event)
        ke::timeline::note_status(ke::timeline::kSelected, m_host_handle, STATUS_SUCCESS, mask,
            m_event->event_type() == kSynchronizationEvent);
    m_mode = mode;
    if (mode == SelectMode::Message)
        begin_message_select();
    if (m_record.select(mask))
        signal.raise(m_event, *this, m_raises);
    if (mask)
        refresh(signal);
    return STATUS_SUCCESS;
}

NTSTATUS Endpoint::take_events(GetEventsResult& result, ke::Event* to_reset)
{
    Signal signal;
    signal.mute(); // what is found just now is told just now
    ke::LockGuard guard(m_lock);
    return take(result, to_reset, signal);
}

NTSTATUS Endpoint::take_messages(HANDLE target, GetEventsResult& result)
{
    result = {};
    Signal signal;
    signal.mute();
    ke::LockGuard guard(m_lock);
    const bool is_target = posts_messages() && m_event && m_event->host_event() == target;
    return is_target ? take(result, nullptr, signal) : STATUS_SUCCESS;
}

NTSTATUS Endpoint::take(GetEventsResult& result, ke::Event* to_reset, Signal& signal)
{
    if (records_on_host())
        return ntke::kPassDown;
    if (to_reset)
        to_reset->reset();
    if (m_record.mask() && !is_up_to_date())
        refresh(signal);
    m_record.take(result);
    return STATUS_SUCCESS;
}

Endpoint::Selection Endpoint::hand_over()
{
    Signal signal;
    ke::LockGuard guard(m_lock);
    signal.mute();
    if (m_is_recording.load(std::memory_order_relaxed))
        refresh(signal); // what is new by now would be old for the host
    Selection selection { std::move(m_event), m_record.mask(), m_record.reported(), m_mode, {} };
    m_record.tell_pending(selection.pending);
    m_record = EventRecord();
    m_is_recording.store(false, std::memory_order_release);
    if (selection.mask)
        mute();
    return selection;
}

ob::Ref<ke::Event> Endpoint::selection(uint32_t& mask)
{
    ke::LockGuard guard(m_lock);
    mask = posts_messages() ? 0 : m_record.mask();
    return posts_messages() ? ob::Ref<ke::Event>() : m_event;
}

bool Endpoint::inherit_selection(Endpoint& listener)
{
    uint32_t mask;
    ob::Ref<ke::Event> event = listener.selection(mask);
    ob::Ref<ke::Event> none;
    return mask && event && NT_SUCCESS(select(std::move(event), mask, none));
}

// --- State

void Endpoint::apply_state(
    SocketState state, uint32_t flags, NTSTATUS status, uint32_t accepted, Signal& signal)
{
    constexpr uint32_t kShutDown = ntke::kSocketReceiveShutDown | ntke::kSocketSendShutDown;
    // What came before a shutdown is recorded, although it could not be after it.
    if ((flags & kShutDown) && m_is_recording.load(std::memory_order_relaxed))
        refresh(signal);
    const uint32_t flags_before = m_flags.exchange(flags, std::memory_order_relaxed);
    if ((flags & ~flags_before) & ntke::kSocketOobInline)
        note_inline();
    m_connections_accepted += accepted;
    const bool has_new_peer = (flags & ~flags_before) & ntke::kSocketHasPeer;
    uint32_t re_enabled = 0;
    if (accepted)
        re_enabled |= kPollAccept; // [WSAEventSelect/24]
    if (has_new_peer) // [WSAEventSelect/66] [WSAAsyncSelect/16]
        re_enabled |= posts_messages() ? kPollSend : kPollConnect | kPollSend;
    enter_state(state, status, re_enabled, signal);
}

void Endpoint::enter_state(SocketState state, NTSTATUS status, uint32_t re_enabled, Signal& signal)
{
    const SocketState before = m_state.exchange(state, std::memory_order_acq_rel);
    m_changes.fetch_add(1, std::memory_order_relaxed);
    if (state == SocketState::ConnectFailed && before != state)
        m_connect_status = status;
    if (state == SocketState::Connecting)
        leave_thread_pump();
    if (!m_is_recording.load(std::memory_order_relaxed))
        return;
    if (before != state && state == SocketState::Connecting) {
        m_record.re_enable(kPollConnect | kPollConnectFail | kPollSend); // [WSAEventSelect/34]
        // The outcome may have been there before the state was: have it told once more.
        m_is_muted = false;
        if (m_is_watched)
            Pump::instance().unmute(*this);
        return;
    }
    re_enable(re_enabled, true, signal);
}

void (*Endpoint::settle_with_host)(Endpoint& endpoint) = nullptr;

void Endpoint::settle_connect(uint32_t ready, Signal& signal)
{
    constexpr uint32_t kSettled = kReadyOut | kReadyError | kReadyHangUp;
    // What the pump tells may be about the time before the connect.
    if (!(ready & kSettled) || !(m_socket.ready_now() & kSettled))
        return;
    if (settle_with_host && !is_own()) {
        settle_with_host(*this);
        return;
    }
    NTSTATUS status = m_socket.take_error();
    // A connection that was made and is gone already. A refusal is another error.
    if (status == STATUS_CONNECTION_RESET) {
        m_has_told_reset.store(true, std::memory_order_relaxed);
        status = STATUS_SUCCESS;
    }
    if (NT_SUCCESS(status))
        m_flags.fetch_or(ntke::kSocketConnected, std::memory_order_relaxed);
    enter_state(NT_SUCCESS(status) ? SocketState::Connected : SocketState::ConnectFailed, status, 0,
        signal);
}

NTSTATUS Endpoint::dispatch(io::Irp&, ULONG_PTR&)
{
    return STATUS_INVALID_DEVICE_REQUEST;
}

} // namespace afd
