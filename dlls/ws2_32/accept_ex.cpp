// AcceptEx and GetAcceptExSockaddrs.
#include "afd_call.h"
#include "catalog.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "transfer.h"

namespace ws2 {

// The device puts each address into a block of its own: its length, then the address.
constexpr DWORD kLengthPrefix = sizeof(int32_t);

static DWORD block_length(const Socket& listener)
{
    return kLengthPrefix + address_length(listener.family);
}

/// Checks the lengths and the buffer of an AcceptEx call.
static int check_buffer(const Socket& listener, void* buffer, DWORD data_length, DWORD local_length,
    DWORD remote_length)
{
    if (remote_length < block_length(listener))
        return WSAEFAULT;
    const uint64_t total = uint64_t { data_length } + local_length + remote_length;
    if (total > 0xFFFFFFFF || !guard::is_writable(buffer, total))
        return WSAEFAULT;
    return 0;
}

static int check_acceptor(const Socket& listener, Socket& acceptor)
{
    const bool usable = acceptor.is_of_process() == listener.is_of_process() && acceptor.is_stream()
        && !acceptor.listening && ((!acceptor.connected && !acceptor.bound) || acceptor.reusable);
    return usable ? 0 : WSAEINVAL;
}

/// What is left of an acceptor's last connection. [DisconnectEx/6]
static void forget_connection(Socket& acceptor)
{
    acceptor.connected = false;
    acceptor.bound = false;
    acceptor.told_reset = false;
    acceptor.forget_names();
}

BOOL WSAAPI accept_ex(SOCKET listener, SOCKET acceptor, void* buffer, DWORD data_length,
    DWORD local_length, DWORD remote_length, DWORD* received, OVERLAPPED* overlapped)
{
    if (!overlapped)
        return fail(ERROR_INVALID_PARAMETER), FALSE;
    kernel::Completion completion;
    if (!completion_from_overlapped(overlapped, nullptr, completion))
        return fail(WSAEFAULT), FALSE;
    SocketRef listening = find_socket(listener);
    if (!listening)
        return FALSE;
    SocketRef accepting = find_socket(acceptor);
    if (!accepting)
        return FALSE;
    if (!listening->listening && !(listening->shared && is_bound(*listening)))
        return fail(WSAEINVAL), FALSE;
    if (const int error
        = check_buffer(*listening, buffer, data_length, local_length, remote_length))
        return fail(error), FALSE;
    if (const int error = check_acceptor(*listening, *accepting))
        return fail(error), FALSE;

    const afd::AcceptIntoParams params { .acceptor = HandleToULong(accepting->handle),
        .receive_length = data_length,
        .local_length = local_length };
    // Before the request: the acceptor may be connected, and in use, before this call returns. Its
    // descriptor will be another one.
    if (accepting->filter.endpoint)
        filter::hand_over(*accepting, "AcceptEx replaces its descriptor");
    const bool was_reusable = accepting->reusable.exchange(false);
    if (was_reusable)
        forget_connection(*accepting);
    const bool was_accepted = accepting->accepted.exchange(true);
    const bool was_pending = accepting->connect_pending.exchange(true);
    const bool needed_context = accepting->needs_accept_context.exchange(true);
    // The host would take the connection and lose it when a block turns out too small. ntke leaves
    // it in the queue; what it does not serve is refused. [AcceptEx/13]
    const bool is_short = local_length && local_length < block_length(*listening);
    NTSTATUS status = STATUS_NOT_SUPPORTED;
    if (!is_short || !listening->filter.mask)
        status = afd_call_overlapped(*listening, completion,
            is_short ? afd::kIoctlAcceptHere : afd::kIoctlAcceptInto, &params, sizeof(params),
            buffer, data_length + local_length + remote_length);
    if (is_short && status == STATUS_NOT_SUPPORTED)
        status = STATUS_ACCESS_VIOLATION;
    if (!NT_SUCCESS(status)) {
        accepting->reusable = was_reusable;
        accepting->accepted = was_accepted;
        accepting->connect_pending = was_pending;
        accepting->needs_accept_context = needed_context;
    }
    return finish_overlapped(status, overlapped, received) == 0;
}

/// One address block of an AcceptEx buffer.
static void find_address(char* block, sockaddr** address, int* size)
{
    *size = *reinterpret_cast<const int32_t*>(block);
    *address = reinterpret_cast<sockaddr*>(block + kLengthPrefix);
}

void WSAAPI get_accept_ex_sockaddrs(void* buffer, DWORD data_length, DWORD local_length,
    DWORD /*remote_length*/, sockaddr** local, int* local_size, sockaddr** remote, int* remote_size)
{
    char* const blocks = static_cast<char*>(buffer) + data_length;
    if (local_length)
        find_address(blocks, local, local_size);
    find_address(blocks + local_length, remote, remote_size);
}

} // namespace ws2
