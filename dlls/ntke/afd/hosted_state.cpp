// What the host does to a socket, noted as its requests pass and come back.
#include "afd/params.h"
#include "afd/socket_file.h"

namespace afd {

namespace {

constexpr uint16_t kFamilyUnspecified = 0;

bool is_done(NTSTATUS status)
{
    return NT_SUCCESS(status) && status != STATUS_PENDING;
}

/// What a shutdown in this direction ends.
uint32_t flags_of_shutdown(uint32_t direction)
{
    static constexpr uint32_t kFlags[] = { ntke::kSocketReceiveShutDown, ntke::kSocketSendShutDown,
        ntke::kSocketReceiveShutDown | ntke::kSocketSendShutDown };
    return direction < std::size(kFlags) ? kFlags[direction] : 0;
}

/// The family of the address that a connect is given, behind its parameters.
uint16_t family_of_connect(const PassedRequest& request)
{
    constexpr uint32_t kWord = sizeof(ConnectParams) / sizeof(uint32_t);
    return static_cast<uint16_t>(request.input[kWord]);
}

uint32_t mask_of_event_select(const PassedRequest& request)
{
    EventSelectParams params {};
    read_event_select(request.input, sizeof(request.input), params);
    return static_cast<uint32_t>(params.mask);
}

} // namespace

bool SocketFile::is_noted(ULONG code) const
{
    if (!is_of_host())
        return false;
    switch (code) {
    case kIoctlCreate:
    case kIoctlBind:
    case kIoctlListen:
    case kIoctlConnect:
    case kIoctlShutdown:
    case kIoctlFionbio:
    case kIoctlEventSelect:
    case kIoctlMessageSelect:
    case kIoctlSetSoOobInline:
    case kIoctlSetSoRcvTimeo:
    case kIoctlSetSoSndTimeo:
        return true;
    case kIoctlRecv:
    case kIoctlRecvMsg:
    case kIoctlSendMsg:
        return !is_established() || m_hosted_record.is_kept();
    case kIoctlAccept:
        return m_hosted_record.is_kept();
    case kIoctlGetSoConnectTime:
        return !can_transfer();
    default:
        return false;
    }
}

void SocketFile::note_passed_down(PassedRequest& request)
{
    ke::LockGuard selection_guard(m_selection_lock);
    Signal signal;
    ke::LockGuard guard(m_lock);
    request.connects_made = m_connects_made;
    const uint32_t flags = m_flags.load(std::memory_order_relaxed);
    if (request.code == kIoctlConnect && !is_connecting() && state() != SocketState::Connected) {
        // Its outcome is a new event, whatever was told of the last. [WSAEventSelect/34]
        const uint32_t room = is_stream() ? kPollSend : 0u;
        request.dropped = m_hosted_record.re_enable(kPollConnect | kPollConnectFail | room);
    }
    if (request.code == kIoctlRecv || request.code == kIoctlRecvMsg)
        m_hosted_record.re_enable(kPollReceive);
    if (request.code == kIoctlAccept)
        m_hosted_record.re_enable(kPollAccept); // [WSAEventSelect/24]
    if (request.code == kIoctlShutdown) {
        // Known before the host does it: the peer may answer with its own end before the request
        // returns, and without our end that would look like a reset.
        request.added_flags = flags_of_shutdown(request.input[0]) & ~flags;
        change(state(), flags | request.added_flags, signal);
    } else if (request.code == kIoctlConnect && state() == SocketState::ConnectFailed) {
        request.had_failed = true;
        change(SocketState::Unconnected, flags, signal);
    }
}

void SocketFile::note_answered(const PassedRequest& request, NTSTATUS status, uint32_t output)
{
    ke::LockGuard selection_guard(m_selection_lock);
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (request.code == kIoctlConnect)
        return note_connect(request, status, signal);
    const uint32_t flags = m_flags.load(std::memory_order_relaxed);
    if (!is_done(status)) {
        if (request.code == kIoctlSendMsg && status == STATUS_DEVICE_NOT_READY)
            m_hosted_record.re_enable(kPollSend);
        if (request.added_flags) // but not what another request has shut down meanwhile
            change(state(), flags & ~(request.added_flags & ~m_shut_down_on_host), signal);
        return;
    }
    switch (request.code) {
    case kIoctlShutdown:
        m_shut_down_on_host |= flags_of_shutdown(request.input[0]);
        if (m_shut_down_on_host & ~flags) // another request that has failed took it back
            change(state(), flags | m_shut_down_on_host, signal);
        break;
    case kIoctlCreate:
        if (m_is_created.load(std::memory_order_relaxed))
            break;
        m_family = static_cast<int>(request.input[0]);
        m_type = static_cast<int>(request.input[1]);
        m_protocol = static_cast<int>(request.input[2]);
        m_state.store(is_stream() ? SocketState::Unconnected : SocketState::Datagram);
        break;
    case kIoctlBind:
        change(state(), flags | ntke::kSocketBound, signal);
        break;
    case kIoctlListen:
        change(SocketState::Listening, flags, signal);
        break;
    case kIoctlSendMsg:
        if (!is_stream() && !(flags & ntke::kSocketBound))
            change(state(), flags | ntke::kSocketBound, signal); // with its first datagram
        if (is_connecting()) // data passes
            note_connected(ntke::kSocketConnected, signal);
        break;
    case kIoctlRecv:
    case kIoctlRecvMsg:
        // One of nothing is no word: the host says so when the connect has failed, too.
        if (is_connecting() && output)
            note_connected(ntke::kSocketConnected, signal);
        break;
    case kIoctlGetSoConnectTime:
        // Who has not begun to connect was accepted into.
        if (output != kNotConnected && !can_transfer())
            note_connected(is_connecting() ? uint32_t { ntke::kSocketConnected } : 0u, signal);
        break;
    case kIoctlFionbio:
        note_mode(request.input[0] != 0);
        if (m_record.mask()) // selected meanwhile [ioctlsocket/4]
            m_is_nonblocking.store(true, std::memory_order_relaxed);
        break;
    case kIoctlEventSelect:
        note_mode(true);
        note_selected_on_host(mask_of_event_select(request));
        break;
    case kIoctlMessageSelect:
        note_mode(true);
        note_selected_on_host(request.input[3]); // MessageSelectParams::mask
        break;
    case kIoctlSetSoOobInline:
        // An urgent byte that waits is data now. [WSAEventSelect/54]
        change(state(),
            request.input[0] ? flags | ntke::kSocketOobInline
                             : flags & ~uint32_t { ntke::kSocketOobInline },
            signal);
        break;
    case kIoctlSetSoRcvTimeo:
        m_options.receive_timeout = request.input[0];
        break;
    case kIoctlSetSoSndTimeo:
        m_options.send_timeout = request.input[0];
        break;
    default:
        break;
    }
}

/// A connect of a datagram socket is over with the answer. That of a stream has begun, unless it is
/// refused; what comes of it is told by others, maybe before this.
void SocketFile::note_connect(const PassedRequest& request, NTSTATUS status, Signal& signal)
{
    const uint32_t flags = m_flags.load(std::memory_order_relaxed);
    if (!NT_SUCCESS(status) && status != STATUS_DEVICE_NOT_READY) { // it has not begun
        m_hosted_record.restore(request.dropped);
        if (request.had_failed && state() == SocketState::Unconnected)
            change(SocketState::ConnectFailed, flags, signal, m_connect_status);
        return;
    }
    if (!is_stream()) {
        if (!is_done(status))
            return;
        const bool is_dissolving = family_of_connect(request) == kFamilyUnspecified;
        change(state(),
            is_dissolving ? flags & ~uint32_t { ntke::kSocketHasPeer }
                          : flags | ntke::kSocketHasPeer | ntke::kSocketBound,
            signal);
        return;
    }
    if (request.connects_made != m_connects_made) {
        // Who saw it made did not know of a connect, maybe.
        if (state() == SocketState::Connected)
            change(state(), flags | ntke::kSocketConnected, signal);
        return;
    }
    if (is_connecting()) // of the last connect nobody has seen the end
        m_state.store(SocketState::Unconnected, std::memory_order_release);
    change(SocketState::Connecting, flags | ntke::kSocketBound, signal);
    if (is_done(status))
        note_connected(ntke::kSocketConnected, signal);
}

void SocketFile::change(SocketState state, uint32_t flags, Signal& signal, NTSTATUS status)
{
    apply_state(state, flags, status, 0, signal);
}

void SocketFile::note_connected(uint32_t flag, Signal& signal)
{
    ++m_connects_made;
    change(SocketState::Connected,
        m_flags.load(std::memory_order_relaxed) | ntke::kSocketBound | flag, signal);
}

void SocketFile::note_connect_ended(NTSTATUS status)
{
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (!is_of_host() || !is_stream() || state() == SocketState::Listening)
        return;
    if (NT_SUCCESS(status)) {
        if (!can_transfer())
            note_connected(ntke::kSocketConnected, signal);
        return;
    }
    if (!is_connecting())
        return;
    // A call that has waited tells the failure itself, and no event does.
    const bool is_event = m_is_nonblocking.load(std::memory_order_relaxed);
    change(is_event ? SocketState::ConnectFailed : SocketState::Unconnected,
        m_flags.load(std::memory_order_relaxed), signal, status);
}

void SocketFile::note_mode(bool is_nonblocking)
{
    m_is_nonblocking.store(is_nonblocking, std::memory_order_relaxed);
    m_is_nonblocking_on_host.store(is_nonblocking, std::memory_order_relaxed);
}

/// The host's word: it has seen the connection made. A failure it goes on telling when the next
/// connect has begun, so that is asked for when Linux says that a connect has ended.
void SocketFile::note_polled(uint32_t found)
{
    if ((found & (kPollSend | kPollConnect)) && is_connecting())
        note_connect_ended(STATUS_SUCCESS);
}

} // namespace afd
