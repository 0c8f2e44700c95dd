// The array of buffers of a transfer, in a form that every kernel takes.
#pragma once

#include "socket.h"

namespace ws2 {

/// What a transfer passes to the kernel in place of the program's WSABUFs. Linux takes 1,024
/// buffers in a call, and Wine's Linux half does not survive a count whose array is larger than
/// memory; Windows has no limit. So a longer array is checked, and travels as one buffer of our
/// own: gathered for a send, scattered after a receive. Any other array passes as it is. Owner: the
/// call, until the kernel is done with its request. [send/11] [recv/18]
class TransferBuffers {
public:
    enum Use { kSend, kReceive };

    TransferBuffers() = default;
    TransferBuffers(const TransferBuffers&) = delete;
    ~TransferBuffers();

    /// Takes the program's array. Returns 0 or a Winsock error: WSAEFAULT, it is not wholly there,
    /// or a buffer of it is not; WSAENOBUFS, there is no room for it. Of an overlapped request
    /// nobody here would know when a block of ours could go: its array passes as it is where ntke
    /// serves it, which takes any, and is WSAENOBUFS too where the host does.
    int take(
        Socket& socket, const WSABUF* given, DWORD count, Use use, const WSAOVERLAPPED* overlapped)
    {
        m_array = m_given = given;
        m_count = m_given_count = count;
        return count <= kMostPassed ? 0 : replace(socket, use, overlapped);
    }

    const WSABUF* array() const { return m_array; }
    DWORD count() const { return m_count; }

    /// Puts received bytes where the program wants them. False: a buffer has gone.
    bool scatter(size_t received) const { return !m_block || scatter_block(received); }

private:
    static constexpr DWORD kMostPassed = 1024;

    int replace(Socket& socket, Use use, const WSAOVERLAPPED* overlapped);
    bool scatter_block(size_t received) const;

    const WSABUF* m_given = nullptr;
    DWORD m_given_count = 0;
    const WSABUF* m_array = nullptr;
    DWORD m_count = 0;
    WSABUF m_single = {};
    char* m_block = nullptr; // process heap
};

} // namespace ws2
