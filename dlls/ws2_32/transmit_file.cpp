// TransmitFile.
#include "afd_call.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "transfer.h"

namespace ws2 {

/// What is asked for must be there; the device would send what there is, and say that it was all.
/// Something else than a file has no size to compare with. [TransmitFile/10]
static int check_range(HANDLE file, int64_t offset, DWORD to_write)
{
    constexpr DWORD kMostBytes = 0x7FFFFFFE; // [TransmitFile/11]
    if (to_write > kMostBytes)
        return WSAEINVAL;
    LARGE_INTEGER size;
    LARGE_INTEGER position { .QuadPart = offset };
    if (!file || !GetFileSizeEx(file, &size)
        || (offset == afd::kCurrentPosition
            && !SetFilePointerEx(file, {}, &position, FILE_CURRENT)))
        return 0;
    const bool is_there
        = position.QuadPart <= size.QuadPart && to_write <= size.QuadPart - position.QuadPart;
    return is_there ? 0 : ERROR_HANDLE_EOF;
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
    if (const int error = check_range(file, offset, to_write))
        return fail(error), FALSE;
    const afd::TransmitParams params { .offset = offset,
        .head = afd::ptr64(ends.Head),
        .tail = afd::ptr64(ends.Tail),
        .head_length = ends.HeadLength,
        .tail_length = ends.TailLength,
        .file = HandleToULong(file),
        .file_length = to_write,
        .chunk = per_send,
        .flags = flags };
    NTSTATUS status = overlapped ? afd_call_overlapped(*socket, completion, afd::kIoctlTransmit,
                          &params, sizeof(params), nullptr, 0)
                                 : afd_call_and_wait(socket, afd::kIoctlTransmit, &params,
                                     sizeof(params), nullptr, 0, Alertable::kYes);
    if (NT_SUCCESS(status) && (flags & (TF_DISCONNECT | TF_REUSE_SOCKET))) {
        // The shutdown takes effect behind what is still queued. A wait has let go of the handle.
        if (SocketRef same = find_known_socket(s)) {
            const int how = SD_SEND;
            same->send_shut_down = true; // known first, as in shutdown
            filter::tell_state(*same);
            afd_call(*same, afd::kIoctlShutdown, &how, sizeof(how), nullptr, 0);
        }
    }
    if (overlapped)
        return finish_overlapped(status, overlapped, nullptr) == 0;
    return result_from_status(status) == 0;
}

} // namespace ws2
