// Requests to the AFD device: plain, blocking and overlapped ones.
#pragma once

#include "afd/ioctl.h"
#include "afd/params.h"
#include "kernel.h"
#include "socket.h"

namespace ws2 {

/// Makes a socket of the device's, which no table of ours knows: the handle is the caller's.
/// `attributes` is OBJ_INHERIT or 0, `options` FILE_SYNCHRONOUS_IO_* or 0 for overlapped use.
NTSTATUS afd_open_socket(
    const afd::CreateParams& params, ULONG attributes, ULONG options, HANDLE* handle);

/// A request that never pends (options, names, states). Returns the status of the request;
/// `information`, if given, receives the bytes written to `output` for those requests that say so.
NTSTATUS afd_call(HANDLE handle, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length, ULONG_PTR* information = nullptr);

/// The same on a socket of the table. A socket whose handle turns out to be none any more (closed
/// behind our back) is taken out of the table.
NTSTATUS afd_call(Socket& socket, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length, ULONG_PTR* information = nullptr);

enum class Alertable : bool {
    kNo,
    kYes, // user APCs run while the call blocks, and the call goes on [overlapped/18]
};

/// A request that may pend, issued for a blocking call: waits for its end. The socket's handle is
/// let go before the wait. A request that ended because its socket was closed gives
/// STATUS_REQUEST_ABORTED, which is WSAEINTR.
NTSTATUS afd_call_and_wait(SocketRef& socket, ULONG code, const void* input, ULONG input_length,
    void* output, ULONG output_length, Alertable alertable, ULONG_PTR* information = nullptr);

/// Waits until the device has completed the request of `iosb`, which is on the caller's stack, and
/// returns its status. One that ended because its handle was closed or its requests were cancelled
/// gives STATUS_REQUEST_ABORTED.
NTSTATUS wait_for_completion(HANDLE event, IO_STATUS_BLOCK& iosb, Alertable alertable);

/// The completion parameters for an OVERLAPPED of the application, whose Internal is set to
/// STATUS_PENDING. False: the pointer is bad (WSAEFAULT).
bool completion_from_overlapped(WSAOVERLAPPED* overlapped,
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, kernel::Completion& completion);

/// An overlapped request of the application. Notes on the socket when it was left pending.
NTSTATUS afd_call_overlapped(Socket& socket, const kernel::Completion& completion, ULONG code,
    const void* input, ULONG input_length, void* output, ULONG output_length);

/// Completes an OVERLAPPED for a request the DLL has carried out itself: status block, event,
/// completion packet or routine as for any request that ended at once with `status` and no bytes:
/// the device tells no others. [afd/102] Returns what the device said, STATUS_SUCCESS or `status`.
NTSTATUS complete_overlapped(Socket& socket, const kernel::Completion& completion, NTSTATUS status);

} // namespace ws2
