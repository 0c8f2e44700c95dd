// socket, WSASocketA/W, closesocket, WSADuplicateSocketA/W.
#include "socket.h"

#include <cstddef>
#include <cstring>

#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "guard.h"
#include "sdk/registered_io.h"
#include "startup.h"
#include "thread.h"
#include "transfer.h"

namespace ws2 {

/// Makes a socket of what the catalog lookup gave. WSAPROTOCOL_INFOW's members are final here.
static SOCKET create_socket(int family, int type, int protocol, DWORD flags)
{
    // Requests of registered I/O never wait inside the kernel, [RIO/1] and those that only ntke
    // knows cannot.
    const bool waits_in_kernel = !(flags & sdk::kFlagRegisteredIo) && family != AF_UNIX;
    if (!waits_in_kernel)
        flags |= WSA_FLAG_OVERLAPPED;
    ULONG options = 0;
    if (!(flags & WSA_FLAG_OVERLAPPED)) {
        const Thread* thread = Thread::current();
        options = thread && thread->open_type == SO_SYNCHRONOUS_ALERT
            ? FILE_SYNCHRONOUS_IO_ALERT
            : FILE_SYNCHRONOUS_IO_NONALERT;
    }
    const afd::CreateParams params { .family = family,
        .type = type,
        .protocol = protocol,
        .flags = flags
            & ~DWORD {
                WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT | sdk::kFlagRegisteredIo } };
    const ULONG attributes = flags & WSA_FLAG_NO_HANDLE_INHERIT ? 0 : OBJ_INHERIT;
    HANDLE handle;
    const NTSTATUS status = afd_open_socket(params, attributes, options, &handle);
    if (!NT_SUCCESS(status)) {
        fail(error_from_status(status));
        return INVALID_SOCKET;
    }
    if (!insert_socket(handle, family, type, protocol, flags)) {
        kernel::close(handle);
        fail(WSAENOBUFS);
        return INVALID_SOCKET;
    }
    succeed();
    return socket_from_handle(handle);
}

/// Can the socket be what the flags say in a multipoint session? IP multicast has no roots, and
/// streams no sessions. [WSASocket/12]
static bool has_multipoint_roles(int type, DWORD flags)
{
    constexpr DWORD kRoots = WSA_FLAG_MULTIPOINT_C_ROOT | WSA_FLAG_MULTIPOINT_D_ROOT;
    constexpr DWORD kLeaves = WSA_FLAG_MULTIPOINT_C_LEAF | WSA_FLAG_MULTIPOINT_D_LEAF;
    return !(flags & (type == SOCK_STREAM ? kRoots | kLeaves : kRoots));
}

// A protocol info made by WSADuplicateSocket carries the duplicated handle in two reserved members,
// in the form Wine's own DLL uses, so that a process with either DLL can open it. Each opens once.
constexpr DWORD kDuplicateMark = 0xFF00FF00;
// Ours also carries the flags the socket was created with, in dwProviderReserved, under this bit,
// and a number of its own in dwServiceFlags2.
constexpr DWORD kFlagsGiven = 0x80000000;

/// Tells the infos apart that name the same value one after the other, also those of other
/// processes.
static DWORD new_info_number()
{
    static constinit std::atomic<DWORD> infos { 0 };
    return (GetCurrentProcessId() << 16) + ++infos;
}

static bool is_duplicate(const WSAPROTOCOL_INFOW& info)
{
    return info.dwServiceFlags4 == kDuplicateMark;
}

static SOCKET open_duplicate(const WSAPROTOCOL_INFOW& info)
{
    const SOCKET s = info.dwServiceFlags3;
    const DWORD number = info.dwServiceFlags2;
    const SocketRef known = find_known_socket(s);
    const bool is_used = known && number && known->opened_by == number;
    const DWORD flags = info.dwProviderReserved & ~kFlagsGiven;
    SocketRef opened;
    // The kernel must agree that this is a socket; the answer also tells what kind.
    if (!is_used)
        opened = adopt_socket(s, info.dwProviderReserved & kFlagsGiven ? &flags : nullptr);
    if (!opened) {
        fail(WSAEINVAL); // [WSADuplicateSocket/6]
        return INVALID_SOCKET;
    }
    opened->opened_by = number;
    succeed();
    return s;
}

} // namespace ws2

using namespace ws2;

SOCKET WSAAPI WSASocketW(
    int family, int type, int protocol, WSAPROTOCOL_INFOW* info, GROUP, DWORD flags)
{
    if (!is_started()) {
        fail(WSANOTINITIALISED);
        return INVALID_SOCKET;
    }
    if (info) {
        WSAPROTOCOL_INFOW given;
        if (!guard::read(info, given)) {
            fail(WSAEFAULT);
            return INVALID_SOCKET;
        }
        if (is_duplicate(given))
            return open_duplicate(given);
        // What the arguments say explicitly overrides the info. [WSASocket/3]
        if (family == FROM_PROTOCOL_INFO || !family)
            family = given.iAddressFamily;
        if (type == FROM_PROTOCOL_INFO || !type)
            type = given.iSocketType;
        if (protocol == FROM_PROTOCOL_INFO || !protocol)
            protocol = given.iProtocol;
        if (family == FROM_PROTOCOL_INFO || !family) {
            fail(WSAEAFNOSUPPORT); // Not even the info says. [WSASocket/6]
            return INVALID_SOCKET;
        }
    }
    int error = resolve_protocol(family, type, protocol);
    if (!error && !has_multipoint_roles(type, flags))
        error = WSAEINVAL;
    if (error) {
        fail(error);
        return INVALID_SOCKET;
    }
    return create_socket(family, type, protocol, flags);
}

SOCKET WSAAPI WSASocketA(
    int family, int type, int protocol, WSAPROTOCOL_INFOA* info, GROUP group, DWORD flags)
{
    // The two forms differ in the name at the end only, which opening a socket does not read.
    static_assert(
        offsetof(WSAPROTOCOL_INFOA, szProtocol) == offsetof(WSAPROTOCOL_INFOW, szProtocol));
    if (!info)
        return WSASocketW(family, type, protocol, nullptr, group, flags);
    WSAPROTOCOL_INFOW wide {};
    if (!guard::copy(&wide, info, offsetof(WSAPROTOCOL_INFOA, szProtocol))) {
        fail(is_started() ? WSAEFAULT : WSANOTINITIALISED);
        return INVALID_SOCKET;
    }
    return WSASocketW(family, type, protocol, &wide, group, flags);
}

SOCKET WSAAPI socket(int family, int type, int protocol)
{
    const Thread* thread = Thread::current();
    const bool synchronous = thread && thread->open_type != 0;
    return WSASocketW(family, type, protocol, nullptr, 0, synchronous ? 0 : WSA_FLAG_OVERLAPPED);
}

int WSAAPI closesocket(SOCKET s)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    if (socket->nonblocking && would_linger(*socket))
        return fail(WSAEWOULDBLOCK);
    if (!close_socket(*socket))
        return fail(WSAENOTSOCK);
    return 0; // The last error stays. [closesocket/6]
}

int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD process_id, WSAPROTOCOL_INFOW* info)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return SOCKET_ERROR;
    HANDLE process;
    if (process_id == GetCurrentProcessId())
        process = GetCurrentProcess(); // ntke sees that it stays here, and asks nobody whose it is
    else
        process = process_id ? OpenProcess(PROCESS_DUP_HANDLE, FALSE, process_id) : nullptr;
    if (!process)
        return fail(WSAEINVAL);

    int result;
    HANDLE given;
    filter::hand_over(*socket, "it was duplicated");
    WSAPROTOCOL_INFOW filled = protocol_info(socket->family, socket->type, socket->protocol);
    if (!info || !guard::is_writable(info, sizeof(*info))) {
        result = fail(WSAEFAULT);
    } else if (!DuplicateHandle(GetCurrentProcess(), socket->handle, process, &given, 0, FALSE,
                   DUPLICATE_SAME_ACCESS)) {
        result = fail(WSAEMFILE);
    } else {
        filled.dwServiceFlags2 = new_info_number();
        filled.dwServiceFlags3 = HandleToULong(given);
        filled.dwServiceFlags4 = kDuplicateMark;
        filled.dwProviderReserved = kFlagsGiven | socket->flags;
        guard::write(info, filled);
        socket->shared = true;
        socket->forget_names();
        result = succeed();
    }
    CloseHandle(process);
    return result;
}

int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD process_id, WSAPROTOCOL_INFOA* info)
{
    WSAPROTOCOL_INFOW wide;
    const bool writable = info && guard::is_writable(info, sizeof(*info));
    if (const int result = WSADuplicateSocketW(s, process_id, writable ? &wide : nullptr))
        return result;
    *info = ansi_protocol_info(wide);
    return 0;
}
