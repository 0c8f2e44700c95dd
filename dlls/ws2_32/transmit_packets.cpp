// TransmitPackets.
//
// The device has no such request. For a stream the elements become requests of TransmitFile's kind,
// each with memory, a part of a file and memory again. A list that takes more than one but must be
// one request, since it may pend, is gathered in a temporary file first. For datagrams each packet
// is put together and sent.
#include "afd_call.h"
#include "error.h"
#include "extension.h"
#include "guard.h"
#include "heap.h"
#include "transfer.h"
#include "transmit.h"
#include "transmit_request.h"

namespace ws2 {

namespace {

constexpr ULONG kKnownFlags = TP_ELEMENT_MEMORY | TP_ELEMENT_FILE | TP_ELEMENT_EOP;
/// Larger ones say nothing but that the program leaves the size of sends alone.
constexpr DWORD kMostPerSend = 0x10000;
constexpr DWORD kMostDatagram = 0xFFFF;
constexpr DWORD kPiece = 0x10000; // read and written at a time

/// The program's list, as it was when it was checked.
struct Elements {
    HeapArray<TRANSMIT_PACKETS_ELEMENT> list;

    int take(const TRANSMIT_PACKETS_ELEMENT* source, DWORD count);

private:
    static int check(TRANSMIT_PACKETS_ELEMENT& element);
};

/// Normalises the element: either of memory or of a file, and with its length.
int Elements::check(TRANSMIT_PACKETS_ELEMENT& element)
{
    if (element.dwElFlags & ~kKnownFlags)
        return WSAEINVAL;
    if (element.dwElFlags & TP_ELEMENT_MEMORY)
        return element.dwElFlags & TP_ELEMENT_FILE ? WSAEINVAL : 0;
    element.dwElFlags |= TP_ELEMENT_FILE; // [TransmitPackets/3]
    if (GetFileType(element.hFile) != FILE_TYPE_DISK)
        return WSAEINVAL;
    if (element.nFileOffset.QuadPart == -1)
        element.nFileOffset.QuadPart = afd::kCurrentPosition;
    else if (element.nFileOffset.QuadPart < 0)
        return WSAEINVAL;
    return has_range(element.hFile, element.nFileOffset.QuadPart, element.cLength) ? 0 : WSAEINVAL;
}

int Elements::take(const TRANSMIT_PACKETS_ELEMENT* source, DWORD count)
{
    uint64_t total = 0;
    for (DWORD i = 0; i < count; ++i) {
        TRANSMIT_PACKETS_ELEMENT element;
        if (!guard::read(source + i, element))
            return WSAEFAULT;
        if (const int error = check(element))
            return error;
        total += element.cLength;
        if (total > kMostTransmitted)
            return WSAEINVAL;
        if (!list.append(element))
            return WSAENOBUFS;
    }
    return 0;
}

/// Reads a part of a file into `target`; `position` is where, and moves on.
int read_part(HANDLE file, int64_t& position, char* target, DWORD length)
{
    OVERLAPPED where {};
    where.Offset = static_cast<DWORD>(position);
    where.OffsetHigh = static_cast<DWORD>(position >> 32);
    const bool is_here = position == afd::kCurrentPosition;
    DWORD done = 0;
    if (!ReadFile(file, target, length, &done, is_here ? nullptr : &where)
        && (GetLastError() != ERROR_IO_PENDING || !GetOverlappedResult(file, &where, &done, TRUE)))
        return WSAEINVAL;
    if (!is_here)
        position += done;
    return done == length ? 0 : WSAEINVAL;
}

// --- Streams

using Steps = HeapArray<afd::TransmitParams>;

afd::TransmitParams empty_step(DWORD per_send)
{
    afd::TransmitParams step {};
    step.offset = afd::kCurrentPosition;
    step.chunk = per_send;
    return step;
}

/// Puts the element into the last step, if there is room in it, or into a new one.
bool add(Steps& steps, const TRANSMIT_PACKETS_ELEMENT& element, DWORD per_send)
{
    const bool is_file = element.dwElFlags & TP_ELEMENT_FILE;
    if (!element.cLength)
        return true; // no bytes; for the device it would mean all of the file
    const auto has_room = [&] {
        const auto& last = steps[steps.count() - 1];
        return !last.tail_length && !(is_file && last.file);
    };
    if ((!steps.count() || !has_room()) && !steps.append(empty_step(per_send)))
        return false;
    afd::TransmitParams& step = steps[steps.count() - 1];
    if (is_file) {
        step.file = HandleToULong(element.hFile);
        step.offset = element.nFileOffset.QuadPart;
        step.file_length = element.cLength;
    } else if (!step.head_length && !step.file) {
        step.head = afd::ptr64(element.pBuffer);
        step.head_length = element.cLength;
    } else {
        step.tail = afd::ptr64(element.pBuffer);
        step.tail_length = element.cLength;
    }
    return true;
}

NTSTATUS send_steps(SOCKET s, const Socket& meant, const Steps& steps)
{
    for (const afd::TransmitParams& step : steps) {
        // The wait of the one before has let go of the handle, whose value may be another's.
        SocketRef socket = find_known_socket(s);
        if (!socket || &*socket != &meant)
            return STATUS_REQUEST_ABORTED;
        const NTSTATUS status = transmit_and_wait(socket, step);
        if (!NT_SUCCESS(status))
            return status;
    }
    return STATUS_SUCCESS;
}

int write_all(HANDLE file, const char* data, DWORD length)
{
    DWORD written;
    return WriteFile(file, data, length, &written, nullptr) && written == length ? 0 : WSAENOBUFS;
}

/// Appends the element to the file, piece by piece: its memory or its file may be bad or short.
int gather_element(HANDLE file, const TRANSMIT_PACKETS_ELEMENT& element, char* piece)
{
    int64_t position = element.nFileOffset.QuadPart;
    const auto* source = static_cast<const char*>(element.pBuffer);
    for (DWORD left = element.cLength; left;) {
        const DWORD length = left < kPiece ? left : kPiece;
        int error = 0;
        if (element.dwElFlags & TP_ELEMENT_FILE)
            error = read_part(element.hFile, position, piece, length);
        else if (!guard::copy(piece, source + (element.cLength - left), length))
            error = WSAEFAULT;
        if (!error)
            error = write_all(file, piece, length);
        if (error)
            return error;
        left -= length;
    }
    return 0;
}

int gather(const Elements& elements, HANDLE file)
{
    HeapArray<char> piece;
    if (!piece.reserve(kPiece))
        return WSAENOBUFS;
    for (const TRANSMIT_PACKETS_ELEMENT& element : elements.list) {
        if (const int error = gather_element(file, element, piece.begin()))
            return error;
    }
    return 0;
}

/// One request for all of the list, which completes as such.
int send_overlapped(Socket& socket, const afd::TransmitParams& step, OVERLAPPED* overlapped)
{
    kernel::Completion completion;
    if (!completion_from_overlapped(overlapped, nullptr, completion))
        return fail(WSAEFAULT);
    const NTSTATUS status = transmit_overlapped(socket, completion, step);
    return finish_overlapped(status, overlapped, nullptr);
}

int send_gathered(Socket& socket, const Elements& elements, DWORD per_send, OVERLAPPED* overlapped)
{
    socket.gathered_files.free_ended();
    GatheredFile* const file = new_gathered_file();
    if (!file)
        return fail(WSAENOBUFS);
    if (const int error = gather(elements, file->handle)) {
        free_gathered_file(file);
        return fail(error);
    }
    afd::TransmitParams step = empty_step(per_send);
    step.offset = 0;
    step.file = HandleToULong(file->handle);
    file->overlapped = overlapped;
    const int result = send_overlapped(socket, step, overlapped);
    const DWORD error = GetLastError();
    if (result && error == WSA_IO_PENDING)
        socket.gathered_files.keep(file);
    else
        free_gathered_file(file);
    SetLastError(error);
    return result;
}

int transmit_on_stream(SOCKET s, SocketRef& socket, const Elements& elements, DWORD per_send,
    OVERLAPPED* overlapped, bool disconnects)
{
    Steps steps;
    for (const TRANSMIT_PACKETS_ELEMENT& element : elements.list) {
        if (!add(steps, element, per_send))
            return fail(WSAENOBUFS);
    }
    if (!steps.count() && !steps.append(empty_step(per_send)))
        return fail(WSAENOBUFS);
    if (!overlapped) {
        const NTSTATUS status = send_steps(s, *socket, steps);
        if (NT_SUCCESS(status) && disconnects)
            disconnect_behind(s);
        return result_from_status(status);
    }
    const int result = steps.count() > 1 ? send_gathered(*socket, elements, per_send, overlapped)
                                         : send_overlapped(*socket, steps[0], overlapped);
    // The shutdown takes effect behind what is still queued.
    if (disconnects && (!result || GetLastError() == WSA_IO_PENDING)) {
        disconnect_behind(s);
        if (result)
            SetLastError(WSA_IO_PENDING);
    }
    return result;
}

// --- Datagrams

int add_to_packet(const TRANSMIT_PACKETS_ELEMENT& element, HeapArray<char>& packet)
{
    if (element.cLength > kMostDatagram || packet.count() + element.cLength > kMostDatagram)
        return WSAEMSGSIZE;
    if (!packet.reserve(element.cLength))
        return WSAENOBUFS;
    int64_t position = element.nFileOffset.QuadPart;
    if (element.dwElFlags & TP_ELEMENT_FILE) {
        if (const int error = read_part(element.hFile, position, packet.end(), element.cLength))
            return error;
    } else if (!guard::copy(packet.end(), element.pBuffer, element.cLength)) {
        return WSAEFAULT;
    }
    return packet.append(packet.end(), element.cLength) ? 0 : WSAENOBUFS;
}

/// Sends the packets; each ends with TP_ELEMENT_EOP or the list. [TransmitPackets/5]
int send_packets(SOCKET s, const Elements& elements)
{
    HeapArray<char> packet;
    for (const TRANSMIT_PACKETS_ELEMENT& element : elements.list) {
        if (const int error = add_to_packet(element, packet))
            return error;
        if (!(element.dwElFlags & TP_ELEMENT_EOP) && &element + 1 != elements.list.end())
            continue;
        WSABUF buffer { static_cast<ULONG>(packet.count()), packet.begin() };
        DWORD sent;
        if (WSASend(s, &buffer, 1, &sent, 0, nullptr, nullptr))
            return static_cast<int>(GetLastError());
        packet.truncate(0);
    }
    return 0;
}

int transmit_datagrams(
    SOCKET s, SocketRef& socket, const Elements& elements, OVERLAPPED* overlapped)
{
    if (const int error = send_packets(s, elements))
        return fail(error);
    if (!overlapped)
        return succeed();
    kernel::Completion completion;
    if (!completion_from_overlapped(overlapped, nullptr, completion))
        return fail(WSAEFAULT);
    const NTSTATUS status = complete_overlapped(*socket, completion, STATUS_SUCCESS);
    return finish_overlapped(status, overlapped, nullptr);
}

/// Has the socket a peer to send to? [TransmitPackets/1]
bool has_peer(Socket& socket)
{
    SOCKADDR_STORAGE peer;
    return socket.is_stream() ? is_connected(socket)
                              : NT_SUCCESS(afd_call(socket, afd::kIoctlGetPeerName, nullptr, 0,
                                  &peer, sizeof(SOCKADDR_IN6)));
}

} // namespace

BOOL WSAAPI transmit_packets(SOCKET s, TRANSMIT_PACKETS_ELEMENT* elements, DWORD count,
    DWORD send_size, OVERLAPPED* overlapped, DWORD flags)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return FALSE;
    if (!has_peer(*socket))
        return fail(WSAENOTCONN), FALSE;
    const bool disconnects = flags & TF_DISCONNECT;
    if ((flags & TF_REUSE_SOCKET && !disconnects) || (disconnects && !socket->is_stream()))
        return fail(WSAEINVAL), FALSE; // [TransmitPackets/6]
    Elements taken;
    if (const int error = taken.take(elements, count))
        return fail(error), FALSE;
    const DWORD per_send = send_size > kMostPerSend ? 0 : send_size;
    if (!overlapped)
        socket.release_handle(); // each send holds it: closesocket ends them [closesocket/3]
    return (socket->is_stream()
                   ? transmit_on_stream(s, socket, taken, per_send, overlapped, disconnects)
                   : transmit_datagrams(s, socket, taken, overlapped))
        == 0;
}

} // namespace ws2
