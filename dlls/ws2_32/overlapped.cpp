// WSAGetOverlappedResult.
#include "emulation.h"
#include "error.h"
#include "guard.h"
#include "kernel.h"
#include "socket.h"
#include "startup.h"

using namespace ws2;

BOOL WSAAPI WSAGetOverlappedResult(
    SOCKET s, WSAOVERLAPPED* overlapped, DWORD* transferred, BOOL wait, DWORD* flags)
{
    if (!is_started())
        return fail(WSANOTINITIALISED), FALSE;
    // Only sockets this process has used as such count, not any handle of one.
    // [WSAGetOverlappedResult/1]
    if (!find_known_socket(s))
        return fail(WSAENOTSOCK), FALSE;
    OVERLAPPED given;
    if (!guard::read(overlapped, given))
        return fail(WSAEFAULT), FALSE;

    auto* iosb = reinterpret_cast<IO_STATUS_BLOCK*>(overlapped);
    NTSTATUS status = __atomic_load_n(&iosb->Status, __ATOMIC_ACQUIRE);
    // Who asks again and again never sleeps where ntke tells a thread of its sockets. It does not
    // give way: where others are at work, each question would cost it its turn.
    if (status == STATUS_PENDING && !wait && emulation::is_on()) {
        emulation::call(ntke::kCallServeSource, nullptr);
        status = __atomic_load_n(&iosb->Status, __ATOMIC_ACQUIRE);
    }
    if (status == STATUS_PENDING) {
        if (!wait)
            return fail(WSA_IO_INCOMPLETE), FALSE;
        HANDLE awaited = given.hEvent ? given.hEvent : handle_from_socket(s);
        const NTSTATUS waited = kernel::wait(awaited, false);
        if (!NT_SUCCESS(waited))
            return fail(error_from_status(waited)), FALSE;
        // Somebody may have set the event by hand: then the request counts as done.
        status = __atomic_load_n(&iosb->Status, __ATOMIC_ACQUIRE);
        if (status == STATUS_PENDING)
            status = STATUS_SUCCESS;
    }
    // The count of a truncated datagram is written although the call fails.
    // [overlapped/13]
    if (!guard::write(transferred, static_cast<DWORD>(iosb->Information)))
        return fail(WSAEFAULT), FALSE;
    if (NT_SUCCESS(status) && flags && !guard::write(flags, DWORD { 0 }))
        return fail(WSAEFAULT), FALSE;
    SetLastError(error_from_result(status));
    return NT_SUCCESS(status);
}
