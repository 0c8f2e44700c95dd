// References to the sockets of one call.
#pragma once

#include <new>

#include "heap.h"
#include "socket.h"

namespace ws2 {

/// Keeps the handles of many sockets open. Owner: the call on whose stack it is; few sockets need
/// no memory beside it.
class SocketRefs {
public:
    /// Room for `capacity` sockets; is_valid() is false when memory is out.
    explicit SocketRefs(size_t capacity)
    {
        if (capacity > kInline)
            m_refs = static_cast<SocketRef*>(heap_allocate(capacity * sizeof(SocketRef)));
    }
    SocketRefs(const SocketRefs&) = delete;
    ~SocketRefs()
    {
        for (size_t i = 0; i < m_count; ++i)
            m_refs[i].~SocketRef();
        if (m_refs != reinterpret_cast<SocketRef*>(m_inline))
            heap_free(m_refs);
    }

    bool is_valid() const { return m_refs; }
    /// Adds a socket if the table knows it. The result is null otherwise.
    SocketRef& add(SOCKET socket)
    {
        return *new (&m_refs[m_count++]) SocketRef(find_known_socket(socket));
    }

private:
    static constexpr size_t kInline = 64;
    alignas(SocketRef) char m_inline[kInline * sizeof(SocketRef)];
    SocketRef* m_refs = reinterpret_cast<SocketRef*>(m_inline);
    size_t m_count = 0;
};

} // namespace ws2
