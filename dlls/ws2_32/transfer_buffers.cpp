#include "transfer_buffers.h"

#include <algorithm>
#include <cstdint>

#include "guard.h"
#include "heap.h"
#include "transfer.h"

namespace ws2 {

namespace {

/// More buffers than any program has.
constexpr DWORD kMostBuffers = 1 << 20;
/// More bytes than one send takes.
constexpr uint64_t kMostSent = 1 << 30;
/// No datagram has more bytes, and a stream may always give less.
constexpr uint64_t kMostReceived = 65536;

/// Is every page of the array there? The walk ends at the first that is not.
bool is_readable(const WSABUF* array, DWORD count)
{
    constexpr uint64_t kPage = 4096;
    const auto begin = reinterpret_cast<uintptr_t>(array);
    const uint64_t last = begin + uint64_t { count } * sizeof(WSABUF) - 1;
    if (last < begin || last > UINTPTR_MAX)
        return false;
    char byte;
    for (uint64_t at = begin; at <= last; at = (at | (kPage - 1)) + 1) {
        if (!guard::copy(&byte, reinterpret_cast<const void*>(static_cast<uintptr_t>(at)), 1))
            return false;
    }
    return true;
}

/// Calls `visit` with each buffer of the program's array until it says false. False: it did, or the
/// array is not there.
template <typename Visit> bool for_each(const WSABUF* array, DWORD count, Visit visit)
{
    WSABUF piece[64];
    for (DWORD first = 0; first < count;) {
        const DWORD length = std::min<DWORD>(count - first, ARRAYSIZE(piece));
        if (!guard::copy(piece, array + first, length * sizeof(WSABUF))
            || !std::all_of(piece, piece + length, visit))
            return false;
        first += length;
    }
    return true;
}

} // namespace

TransferBuffers::~TransferBuffers()
{
    heap_free(m_block);
}

int TransferBuffers::replace(Socket& socket, Use use, const WSAOVERLAPPED* overlapped)
{
    if (!is_readable(m_given, m_given_count))
        return WSAEFAULT;
    if (m_given_count > kMostBuffers)
        return WSAENOBUFS;
    if (overlapped) {
        if (use == kSend && !socket.is_stream())
            bind_implicitly(socket); // as the send would; ntke takes what is bound
        return filter::before_request(socket, afd::kIoctlRecvMsg) ? 0 : WSAENOBUFS;
    }
    uint64_t total = 0;
    const bool receives = use == kReceive;
    if (!for_each(m_given, m_given_count, [&](const WSABUF& buffer) {
            total += buffer.len;
            // Before a datagram is taken that would then be lost.
            return !receives || guard::is_writable(buffer.buf, buffer.len);
        }))
        return WSAEFAULT;
    if (receives)
        total = std::min(total, kMostReceived);
    if (total > kMostSent)
        return WSAENOBUFS;
    m_block = static_cast<char*>(heap_allocate(std::max<size_t>(total, 1)));
    if (!m_block)
        return WSAENOBUFS;
    m_single = { static_cast<ULONG>(total), m_block };
    m_array = &m_single;
    m_count = 1;
    if (receives)
        return 0;
    size_t gathered = 0;
    const bool is_whole = for_each(m_given, m_given_count, [&](const WSABUF& buffer) {
        // Another thread may have changed it since.
        if (buffer.len > total - gathered
            || !guard::copy(m_block + gathered, buffer.buf, buffer.len))
            return false;
        gathered += buffer.len;
        return true;
    });
    return is_whole && gathered == total ? 0 : WSAEFAULT;
}

bool TransferBuffers::scatter_block(size_t received) const
{
    size_t done = 0;
    return for_each(m_given, m_given_count, [&](const WSABUF& buffer) {
        const size_t length = std::min<size_t>(buffer.len, received - done);
        if (!guard::copy(buffer.buf, m_block + done, length))
            return false;
        done += length;
        return true;
    });
}

} // namespace ws2
