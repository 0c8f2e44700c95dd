// Connecting where the host does it. A host connects in two turns, for Linux does not tell at once
// what becomes of a connect, and the second is requests by itself. Within this machine Linux knows
// it by the time it could be asked: so it has connected before the host is told to, whose own call
// of Linux is then the one that is told, once, that the connection is made.
#include <cstring>

#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "io/undertaking.h"
#include "nt/caller.h"

namespace afd {

SocketFile::ConnectByHost* SocketFile::connect_by_host = nullptr;

namespace {

/// Does it lead to this machine, whatever its network?
bool is_loopback(const Address& address)
{
    static constexpr uint8_t kLoopback[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    constexpr size_t kAddress = 4; // behind family and port
    constexpr size_t kAddress6 = 8; // behind the flow, too
    constexpr uint8_t kNet = 127;
    if (address.family() == kFamilyInet)
        return address.bytes[kAddress] == kNet;
    constexpr size_t kMapped = kAddress6 + 12; // where such an address has one of IPv4
    return memcmp(address.bytes + kAddress6, kLoopback, sizeof(kLoopback)) == 0
        || (is_mapped(address) && address.bytes[kMapped] == kNet);
}

/// The address of a request. False: it is none that can be connected ahead.
bool read_loopback(const io::Parameters& parameters, ConnectInput& input, Address& address)
{
    return read_connect(parameters, input)
        && NT_SUCCESS(capture_address(input.address, input.address_length, address))
        && (address.family() == kFamilyInet || address.family() == kFamilyInet6)
        && is_loopback(address);
}

} // namespace

/// The host does not know that a socket is taken: its connect is refused here.
bool SocketFile::serves_connect(const io::Parameters& parameters)
{
    if (is_taken())
        return true;
    ConnectInput input;
    Address address;
    return !nt::is_wow64() // the host would write a status block of the program
        && is_created() && is_stream() && state() == SocketState::Unconnected
        && read_loopback(parameters, input, address) && address.family() == m_family
        && NT_SUCCESS(open_descriptor());
}

NTSTATUS SocketFile::connect_on_host(io::Irp& irp)
{
    if (is_taken())
        return STATUS_INVALID_PARAMETER; // it is to be accepted into [AcceptEx/8]
    ConnectInput input;
    Address address;
    if (!read_loopback(irp.parameters(), input, address))
        return STATUS_INVALID_PARAMETER;
    Transfer* request = new_connect(input);
    if (!request)
        return STATUS_NO_MEMORY;
    Request::give(irp, request);

    const io::Undertaking undertaking;
    if (!undertaking || m_is_connecting_ahead.exchange(true, std::memory_order_acq_rel))
        return ntke::kPassDown; // of two at once the host tells which of them it was
    NTSTATUS status = ntke::kPassDown;
    if (connect_ahead(address, input.is_synchronous)) {
        PassedRequest passed { kIoctlConnect, {}, 0, 0, false, {} };
        memcpy(passed.input, irp.parameters().input, sizeof(passed.input));
        note_passed_down(passed);
        status = connect_by_host(m_host_handle, irp.parameters().input,
            static_cast<uint32_t>(sizeof(ConnectParams) + input.address_length));
        note_answered(passed, status, 0);
    }
    m_is_connecting_ahead.store(false, std::memory_order_release);
    if (!NT_SUCCESS(status) || input.is_synchronous)
        return status;

    Completions done;
    ke::LockGuard guard(m_lock);
    if (request->total) {
        if (status = pend(irp, m_connects, done); !NT_SUCCESS(status))
            return status;
    } else {
        enqueue(irp, m_connects, done);
    }
    serve_connect(done);
    return STATUS_PENDING; // as always, whatever has become of it
}

/// Connects by Linux. False: that has failed, or takes longer, and is undone.
bool SocketFile::connect_ahead(const Address& address, bool is_synchronous)
{
    // That long the handshake may take where the machine is busy. A listener whose queue is full
    // takes a second, for which ConnectEx must not wait.
    const uint32_t patience = is_synchronous ? 10'000 : 1'000; // us
    constexpr uint32_t kEnded = kReadyOut | kReadyError | kReadyHangUp;
    ke::LockGuard guard(m_lock);
    const bool waits = is_synchronous ? !m_is_nonblocking.load(std::memory_order_relaxed)
                                      : has(ntke::kSocketBound);
    if (!waits || m_is_closing || m_accept_irp || state() != SocketState::Unconnected
        || is_recording() || m_requests_on_host.load(std::memory_order_relaxed))
        return false;
    Address name;
    const bool is_bound = has(ntke::kSocketBound) && NT_SUCCESS(m_socket.local_name(name));
    if (!NT_SUCCESS(m_socket.connect(address)))
        return false;
    uint32_t ended = m_socket.wait_ready(kEnded, 0);
    if (!ended) {
        m_socket.wait_ready(kEnded, patience); // or until a signal comes
        ended = m_socket.wait_ready(kEnded, 0);
    }
    // One that was made and is gone already is over: the listener has seen it, and sees no other.
    if (ended == kReadyOut || (ended && m_socket.was_ever_connected()))
        return true;
    // Of a failure the host makes more than an answer, when it sees it itself: it tries again.
    // Linux does, once it has told of this one.
    Address nobody;
    nobody.length = address_size(kFamilyInet);
    m_socket.connect(ended ? address : nobody);
    // Linux lets go of a port that it has chosen itself with the connect, although it still tells
    // it.
    if (is_bound)
        m_socket.bind(name);
    return false;
}

} // namespace afd
