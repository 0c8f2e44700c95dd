// AF_UNIX sockets that go to another process: the host, which does not know them, carries their
// descriptors.
#include "afd/params.h"
#include "afd/socket_file.h"

namespace afd {

NTSTATUS (*SocketFile::make_carrier)(uint64_t stand_in, int fd, HANDLE& carrier) = nullptr;

namespace {

constexpr int kProtocol = 0; // of AF_UNIX streams, the only one
constexpr size_t kPathOffset = sizeof(uint16_t); // in an address

bool has_path(const Address& address)
{
    return address.bytes[kPathOffset] != 0;
}

/// What Linux knows of a socket that another process has made.
SocketState find_state(const HostSocket& socket, uint32_t& flags)
{
    constexpr int kLevelSocket = 1; // Linux: SOL_SOCKET
    constexpr int kIsListening = 30; // Linux: SO_ACCEPTCONN
    flags = ntke::kSocketBound;
    int is_listening = 0;
    uint32_t length = sizeof(is_listening);
    socket.get_option(kLevelSocket, kIsListening, &is_listening, &length);
    if (is_listening)
        return SocketState::Listening;
    Address name;
    if (NT_SUCCESS(socket.peer_name(name)))
        return SocketState::Connected;
    if (!NT_SUCCESS(socket.local_name(name)) || !has_path(name))
        flags = 0;
    return SocketState::Unconnected;
}

} // namespace

NTSTATUS SocketFile::share(io::Irp& irp, ULONG_PTR& information)
{
    if (!is_own())
        return STATUS_NOT_SUPPORTED;
    HANDLE carrier;
    const NTSTATUS status = make_carrier(m_host_handle, m_socket.descriptor(), carrier);
    if (!NT_SUCCESS(status))
        return status;
    const auto told = static_cast<ULONG>(reinterpret_cast<uintptr_t>(carrier));
    memcpy(irp.parameters().output, &told, sizeof(told));
    information = sizeof(told);
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::create_shared(io::Irp& irp, ULONG_PTR&)
{
    if (!m_host_handle)
        return STATUS_NOT_SUPPORTED;
    const auto params = input_of<CreateSharedParams>(irp);
    int fd;
    if (const NTSTATUS status = open_host_descriptor(params.carrier, fd); !NT_SUCCESS(status))
        return status;
    HostSocket opened(fd);
    Address name;
    if (!NT_SUCCESS(opened.local_name(name)) || name.family() != kFamilyUnix) {
        opened.close();
        return STATUS_INVALID_HANDLE; // something else was given that value
    }
    uint32_t flags;
    const SocketState state = find_state(opened, flags);
    return become_socket(opened, { kFamilyUnix, kTypeStream, kProtocol, 0 }, state, flags);
}

} // namespace afd
