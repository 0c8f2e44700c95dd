// Connecting.
#include "afd/socket_file.h"
#include "afd/transfer.h"
#include "ke/time.h"

namespace afd {

namespace {

constexpr uint16_t kFamilyUnspecified = 0;

} // namespace

bool read_connect(const io::Parameters& parameters, ConnectInput& input)
{
    ConnectParams params;
    if (parameters.input_length < sizeof(params))
        return false;
    memcpy(&params, parameters.input, sizeof(params));
    const size_t rest = parameters.input_length - sizeof(params);
    if (params.address_length < 0 || rest < static_cast<size_t>(params.address_length))
        return false;
    input.is_synchronous = params.synchronous != 0;
    input.address = static_cast<const uint8_t*>(parameters.input) + sizeof(params);
    input.address_length = static_cast<size_t>(params.address_length);
    input.data = input.address + input.address_length;
    input.data_length = input.is_synchronous ? 0 : rest - input.address_length;
    return true;
}

Transfer* new_connect(const ConnectInput& input)
{
    Transfer first(Transfer::Direction::Send);
    if (input.data_length)
        first.set_buffer(const_cast<uint8_t*>(input.data), input.data_length);
    return Transfer::with_copy_of(first);
}

NTSTATUS SocketFile::connect(io::Irp& irp, ULONG_PTR&)
{
    if (is_of_host())
        return connect_on_host(irp);
    ConnectInput input;
    if (!read_connect(irp.parameters(), input))
        return STATUS_BUFFER_TOO_SMALL;
    const size_t length = input.address_length;
    Address address;
    const NTSTATUS status = capture_address(input.address, length, address);
    const bool is_dissolving
        = !is_stream() && length >= sizeof(uint16_t) && address.family() == kFamilyUnspecified;
    if (is_dissolving)
        address.length = address_size(kFamilyInet);
    else if (!NT_SUCCESS(status))
        return status;
    if (!is_stream())
        return connect_datagrams(address, is_dissolving);
    if (address.family() != m_family)
        return STATUS_INVALID_ADDRESS;

    const char* const path = path_behind(input.address, length, address);
    if (m_family == kFamilyUnix && !path)
        return STATUS_INVALID_ADDRESS;

    Transfer* request = new_connect(input);
    if (!request)
        return STATUS_NO_MEMORY;
    Request::give(irp, request);
    return connect_stream(irp, address, path, input.is_synchronous);
}

NTSTATUS SocketFile::connect_datagrams(const Address& address, bool is_dissolving)
{
    Signal signal;
    ke::LockGuard guard(m_lock);
    const NTSTATUS status = m_socket.connect(address);
    if (!NT_SUCCESS(status))
        return status;
    if (is_dissolving) {
        m_flags.fetch_and(~uint32_t { ntke::kSocketHasPeer }, std::memory_order_relaxed);
        return STATUS_SUCCESS;
    }
    m_peer = address;
    const bool had_peer = has(ntke::kSocketHasPeer);
    add_flags(ntke::kSocketHasPeer | ntke::kSocketBound);
    enter_state(SocketState::Datagram, STATUS_SUCCESS, had_peer ? 0u : kPollConnect | kPollSend,
        signal); // [WSAEventSelect/66]
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::check_connect(bool is_synchronous) const
{
    switch (state()) {
    case SocketState::Connected:
        return STATUS_CONNECTION_ACTIVE;
    case SocketState::Connecting:
        return is_synchronous && m_connects.is_empty() ? STATUS_ADDRESS_ALREADY_ASSOCIATED
                                                       : STATUS_INVALID_PARAMETER;
    case SocketState::Listening:
        return STATUS_INVALID_PARAMETER;
    default:
        break;
    }
    if (m_accept_irp || (!is_synchronous && !has(ntke::kSocketBound)))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::connect_now(const Address& address, const char* path)
{
    return path ? m_socket.connect_to_file(path) : m_socket.connect(address);
}

NTSTATUS SocketFile::connect_stream(
    io::Irp& irp, const Address& address, const char* path, bool is_synchronous)
{
    Completions done;
    Signal signal;
    ke::LockGuard guard(m_lock);
    settle(done, signal);
    if (const NTSTATUS status = check_connect(is_synchronous); !NT_SUCCESS(status))
        return status;
    if (const NTSTATUS status = watch(); !NT_SUCCESS(status))
        return status;
    NTSTATUS status = connect_now(address, path);
    // After a failure Linux answers the next one with the failure, too.
    if (!NT_SUCCESS(status) && state() == SocketState::ConnectFailed)
        status = connect_now(address, path);
    if (!NT_SUCCESS(status))
        return status;
    m_peer = address;
    set_bound();
    enter_state(SocketState::Connecting, STATUS_SUCCESS, 0, signal);
    // To a file, it has ended already.
    if (is_synchronous && !path && m_is_nonblocking.load(std::memory_order_relaxed))
        return STATUS_DEVICE_NOT_READY;
    status = pend(irp, m_connects, done);
    settle(done, signal); // on the same machine it has ended already
    return status;
}

void SocketFile::settle(Completions& done, Signal& signal)
{
    if (!is_connecting())
        return;
    settle_connect(m_socket.ready_now(), signal);
    if (is_connecting())
        return;
    if (state() == SocketState::Connected)
        m_connect_time = ke::interrupt_time();
    serve_connect(done);
}

void SocketFile::settle_now()
{
    if (!is_connecting())
        return;
    Completions done;
    Signal signal;
    ke::LockGuard guard(m_lock);
    settle(done, signal);
    serve_polls(done);
}

void SocketFile::serve_connect(Completions& done)
{
    io::Irp* irp = m_connects.first();
    if (!irp || !irp->claim())
        return; // nobody waits, or a canceller has it
    auto& request = static_cast<Transfer&>(Request::of(*irp));
    m_connects.remove(*irp);
    if (state() != SocketState::Connected || !request.total) {
        done.add(*irp, state() == SocketState::Connected ? STATUS_SUCCESS : m_connect_status, 0);
        return;
    }
    // From here on it is a send.
    m_sends.push(*irp);
    request.queue = &m_sends;
    if (!irp->unclaim()) {
        m_sends.remove(*irp);
        done.add(*irp, STATUS_CANCELLED, 0);
        return;
    }
    serve_sends(done);
}

} // namespace afd
