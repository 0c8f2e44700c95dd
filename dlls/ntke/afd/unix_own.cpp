// AF_UNIX sockets under Wine: the host's file of one is its descriptor, and nothing else of it is
// known there.
#include "afd/params.h"
#include "afd/socket_file.h"

namespace afd {

NTSTATUS (*SocketFile::publish_own)(SocketFile& socket, HANDLE& handle) = nullptr;

namespace {

constexpr int kStream = 1; // Windows' and Linux' type
constexpr int kProtocol = 0; // of AF_UNIX streams, the only one
constexpr size_t kPathOffset = sizeof(uint16_t); // in an address

bool has_path(const Address& address)
{
    return address.bytes[kPathOffset] != 0;
}

int option_of_socket(const HostSocket& socket, int name)
{
    constexpr int kLevelSocket = 1; // Linux: SOL_SOCKET
    int value = 0;
    uint32_t length = sizeof(value);
    socket.get_option(kLevelSocket, name, &value, &length);
    return value;
}

bool is_unix_stream(const HostSocket& socket)
{
    constexpr int kType = 3; // Linux: SO_TYPE
    Address name;
    return NT_SUCCESS(socket.local_name(name)) && name.family() == kFamilyUnix
        && option_of_socket(socket, kType) == kStream;
}

/// What Linux knows of a socket that another process may have made.
SocketState find_state(const HostSocket& socket, uint32_t& flags)
{
    constexpr int kIsListening = 30; // Linux: SO_ACCEPTCONN
    flags = ntke::kSocketBound;
    if (option_of_socket(socket, kIsListening))
        return SocketState::Listening;
    Address name;
    if (NT_SUCCESS(socket.peer_name(name)))
        return SocketState::Connected;
    if (!NT_SUCCESS(socket.local_name(name)) || !has_path(name))
        flags = 0;
    return SocketState::Unconnected;
}

} // namespace

NTSTATUS SocketFile::make_own(HostSocket& opened, ob::Ref<SocketFile>& socket)
{
    NTSTATUS status = STATUS_INVALID_HANDLE;
    opened.follow();
    bool is_nonblocking;
    if (is_unix_stream(opened) && opened.find_mode(is_nonblocking)) {
        socket = ob::Ref<SocketFile>::adopt(ke::pool_new<SocketFile>(Mode::Asynchronous));
        status = socket ? STATUS_SUCCESS : STATUS_NO_MEMORY;
    }
    if (!NT_SUCCESS(status)) {
        opened.close();
        return status;
    }
    uint32_t flags;
    const SocketState state = find_state(opened, flags);
    socket->m_is_own = true;
    socket->m_is_nonblocking = is_nonblocking;
    return socket->become_socket(opened, { kFamilyUnix, kStream, kProtocol, 0 }, state, flags);
}

void SocketFile::change_mode(bool is_nonblocking)
{
    m_is_nonblocking.store(is_nonblocking, std::memory_order_relaxed);
    if (is_own())
        tell_mode();
}

void SocketFile::tell_mode()
{
    m_socket.tell_mode(is_nonblocking());
}

NTSTATUS SocketFile::get_mode(io::Irp& irp, ULONG_PTR& information)
{
    const ULONG is_nonblocking = this->is_nonblocking();
    memcpy(irp.parameters().output, &is_nonblocking, sizeof(is_nonblocking));
    information = sizeof(is_nonblocking);
    return STATUS_SUCCESS;
}

} // namespace afd
