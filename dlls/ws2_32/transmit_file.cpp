// TransmitFile.
#include "afd_call.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "transfer.h"
#include "transmit.h"
#include "transmit_request.h"

namespace ws2 {

bool has_range(HANDLE file, int64_t offset, DWORD& to_write)
{
    LARGE_INTEGER size;
    LARGE_INTEGER position { .QuadPart = offset };
    if (!file || !GetFileSizeEx(file, &size)
        || (offset == afd::kCurrentPosition
            && !SetFilePointerEx(file, {}, &position, FILE_CURRENT)))
        return true;
    const int64_t rest = size.QuadPart - position.QuadPart;
    if (rest < 0 || to_write > rest)
        return false;
    if (!to_write)
        to_write = static_cast<DWORD>(rest < kMostTransmitted ? rest : kMostTransmitted + 1);
    return true;
}

void disconnect_behind(SOCKET s)
{
    SocketRef socket = find_known_socket(s);
    if (!socket)
        return;
    const int how = SD_SEND;
    afd_call(*socket, afd::kIoctlShutdown, &how, sizeof(how), nullptr, 0);
}

BOOL WSAAPI transmit_file(SOCKET s, HANDLE file, DWORD to_write, DWORD per_send,
    OVERLAPPED* overlapped, TRANSMIT_FILE_BUFFERS* buffers, DWORD flags)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return FALSE;
    if (!socket->is_stream() || !is_connected(*socket))
        return fail(WSAENOTCONN), FALSE;
    TRANSMIT_FILE_BUFFERS ends {};
    kernel::Completion completion;
    if ((buffers && !guard::read(buffers, ends))
        || (overlapped && !completion_from_overlapped(overlapped, nullptr, completion)))
        return fail(WSAEFAULT), FALSE;

    const auto offset = overlapped
        ? static_cast<int64_t>(uint64_t { overlapped->OffsetHigh } << 32 | overlapped->Offset)
        : afd::kCurrentPosition;
    const bool reuses = (flags & TF_REUSE_SOCKET) && !(flags & TF_DISCONNECT);
    if (to_write > kMostTransmitted || reuses)
        return fail(WSAEINVAL), FALSE; // [TransmitFile/11] [TransmitFile/12]
    if (DWORD there = to_write; !has_range(file, offset, there)) {
        DWORD from_there_on = 0;
        const bool begins_behind = overlapped && !has_range(file, offset, from_there_on);
        return fail(begins_behind ? WSAEINVAL : ERROR_HANDLE_EOF), FALSE; // [TransmitFile/10]
    }
    const afd::TransmitParams params { .offset = offset,
        .head = afd::ptr64(ends.Head),
        .tail = afd::ptr64(ends.Tail),
        .head_length = ends.HeadLength,
        .tail_length = ends.TailLength,
        .file = HandleToULong(file),
        .file_length = to_write,
        .chunk = per_send,
        .flags = flags };
    const NTSTATUS status = overlapped ? transmit_overlapped(*socket, completion, params)
                                       : transmit_and_wait(socket, params);
    if (NT_SUCCESS(status) && (flags & TF_DISCONNECT))
        disconnect_behind(s); // a wait has let go of the handle
    if (overlapped)
        return finish_overlapped(status, overlapped, nullptr) == 0;
    return result_from_status(status) == 0;
}

} // namespace ws2
