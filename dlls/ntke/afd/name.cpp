// Binding, listening and the names of sockets.
#include "afd/socket_file.h"
#include "ke/user_memory.h"

#include <algorithm>

namespace afd {

namespace {

constexpr uint16_t kFamilyUnspecified = 0;
constexpr int kLevelSocket = 1; // Linux: SOL_SOCKET
constexpr int kReuseAddress = 2; // Linux: SO_REUSEADDR

/// Windows lets a stream have an address that only ended connections still use, and refuses one
/// that another socket is bound to. Linux has one switch for both: off, ended connections are in
/// the way; on, bound sockets are not. A bound socket keeps it off and is in the way of every
/// other; the ends of connections have it on.
NTSTATUS bind_stream(HostSocket& socket, const Address& address)
{
    NTSTATUS status = socket.bind(address);
    if (status != STATUS_SHARING_VIOLATION)
        return status;
    const int on = 1;
    const int off = 0;
    socket.set_option(kLevelSocket, kReuseAddress, &on, sizeof(on));
    status = socket.bind(address);
    socket.set_option(kLevelSocket, kReuseAddress, &off, sizeof(off));
    return status;
}

/// Gives an address to the caller.
NTSTATUS tell_address(const Address& address, io::Irp& irp, ULONG_PTR& information)
{
    const io::Parameters& parameters = irp.parameters();
    if (parameters.output_length < address.length)
        return STATUS_BUFFER_TOO_SMALL;
    if (!ke::write_user(parameters.output, address.bytes, address.length))
        return STATUS_ACCESS_VIOLATION;
    information = address.length;
    return STATUS_SUCCESS;
}

} // namespace

uint32_t address_size(uint16_t family)
{
    constexpr uint32_t kSizeInet = 16;
    constexpr uint32_t kSizeInet6 = 28;
    switch (family) {
    case kFamilyInet:
        return kSizeInet;
    case kFamilyInet6:
        return kSizeInet6;
    case kFamilyUnix:
        return kUnixNameSize;
    default:
        return 0;
    }
}

bool is_mapped(const Address& address)
{
    static constexpr uint8_t kPrefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF };
    constexpr size_t kOffset = 8; // of the address in sockaddr_in6
    return address.family() == kFamilyInet6
        && memcmp(address.bytes + kOffset, kPrefix, sizeof(kPrefix)) == 0;
}

NTSTATUS capture_address(const void* bytes, size_t length, Address& address)
{
    address = Address();
    memcpy(address.bytes, bytes, std::min(length, sizeof(address.bytes)));
    address.length = length >= sizeof(uint16_t) ? address_size(address.family()) : 0;
    return address.length && length >= address.length ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
}

const char* path_behind(const void* bytes, size_t length, const Address& address)
{
    const auto* const text = static_cast<const char*>(bytes) + address.length;
    const size_t room = length - address.length;
    const bool is_path = address.family() == kFamilyUnix && memchr(text, 0, room);
    return is_path ? text : nullptr;
}

void SocketFile::set_bound()
{
    if (!has(ntke::kSocketBound))
        add_flags(ntke::kSocketBound);
}

NTSTATUS SocketFile::bind(io::Irp& irp, ULONG_PTR& information)
{
    const io::Parameters& parameters = irp.parameters();
    const auto* bytes = static_cast<const uint8_t*>(parameters.input) + sizeof(BindParams);
    const size_t length = parameters.input_length - sizeof(BindParams);
    const size_t told = m_family == kFamilyUnix ? std::min<size_t>(length, kUnixNameSize) : length;
    if (parameters.output_length < told)
        return STATUS_INVALID_PARAMETER;
    Address address;
    NTSTATUS status = capture_address(bytes, length, address);
    if (length >= sizeof(uint16_t) && address.family() == kFamilyUnspecified) {
        // Stands for "any address" of the socket's own family.
        const auto family = static_cast<uint16_t>(m_family);
        memcpy(address.bytes, &family, sizeof(family));
        address.length = address_size(family);
        status = length >= address.length ? STATUS_SUCCESS : STATUS_INVALID_ADDRESS;
    }
    if (!NT_SUCCESS(status))
        return status;
    if (address.family() != m_family)
        return STATUS_NOT_SUPPORTED;
    const char* const path = path_behind(bytes, length, address);
    if (m_family == kFamilyUnix && !path)
        return STATUS_INVALID_ADDRESS;

    Signal signal;
    ke::LockGuard guard(m_lock);
    if (has(ntke::kSocketBound))
        return STATUS_ADDRESS_ALREADY_ASSOCIATED;
    status = bind_now(address, path);
    if (status == STATUS_SHARING_VIOLATION && m_options.reuse_address)
        return STATUS_ACCESS_DENIED; // the other one does not share
    if (!NT_SUCCESS(status))
        return status;
    set_bound();
    if (m_is_recording.load(std::memory_order_relaxed))
        refresh(signal); // a datagram socket can be written to from now on [WSAEventSelect/65]
    status = own_name(address);
    return NT_SUCCESS(status) ? tell_address(address, irp, information) : status;
}

NTSTATUS SocketFile::bind_now(const Address& address, const char* path)
{
    if (!path)
        return is_stream() ? bind_stream(m_socket, address) : m_socket.bind(address);
    m_local = address;
    return m_socket.bind_to_file(path);
}

/// Linux knows the file of an AF_UNIX socket, and Windows tells the name it was given, if any.
NTSTATUS SocketFile::own_name(Address& address) const
{
    if (m_family != kFamilyUnix)
        return m_socket.local_name(address);
    address = m_local;
    memcpy(address.bytes, &kFamilyUnix, sizeof(kFamilyUnix));
    address.length = kUnixNameSize;
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::listen(io::Irp& irp, ULONG_PTR&)
{
    const auto params = input_of<ListenParams>(irp);
    if (!is_stream())
        return STATUS_NOT_SUPPORTED;
    Signal signal;
    ke::LockGuard guard(m_lock);
    const SocketState now = state();
    const bool can_listen = now == SocketState::Unconnected || now == SocketState::ConnectFailed
        || now == SocketState::Listening;
    if (!can_listen || !has(ntke::kSocketBound) || m_accept_irp)
        return STATUS_INVALID_PARAMETER;
    const NTSTATUS status = m_socket.listen(params.backlog);
    if (!NT_SUCCESS(status))
        return status;
    enter_state(SocketState::Listening, STATUS_SUCCESS, 0, signal);
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::local_name(io::Irp& irp, ULONG_PTR& information)
{
    if (!has(ntke::kSocketBound))
        return STATUS_INVALID_PARAMETER;
    Address address;
    NTSTATUS status;
    {
        ke::LockGuard guard(m_lock);
        status = own_name(address);
    }
    return NT_SUCCESS(status) ? tell_address(address, irp, information) : status;
}

NTSTATUS SocketFile::peer_name(io::Irp& irp, ULONG_PTR& information)
{
    settle_now();
    const bool has_peer = state() == SocketState::Connected
        || (state() == SocketState::Datagram && has(ntke::kSocketHasPeer));
    if (!has_peer)
        return STATUS_INVALID_CONNECTION;
    Address address;
    {
        ke::LockGuard guard(m_lock);
        if (!is_of_host())
            address = m_peer; // a connection that has been reset has none any more for Linux
        else if (!NT_SUCCESS(m_socket.peer_name(address)))
            return ntke::kPassDown;
    }
    return tell_address(address, irp, information);
}

} // namespace afd
