#pragma once

// Overlapped requests of which each is to be told exactly once, and the thread-safe count of those
// that are still to come.

#include "harness.h"
#include "loopback.h"

namespace stress {

/// STATUS_CANCELLED, which windows.h leaves to a header that does not go with it.
constexpr LONG kCancelled = static_cast<LONG>(0xC0000120);

/// One request. Never freed: a packet too many must find it, to be recognised as one.
struct Request {
    /// First, so that the OVERLAPPED of a packet is the request.
    OVERLAPPED overlapped = {};
    /// Who takes its packet; the meaning is the program's.
    void* owner = nullptr;
    ULONG_PTR key = 0;
    std::atomic<int> owed = 0;

    static Request* of(OVERLAPPED* overlapped) { return reinterpret_cast<Request*>(overlapped); }

    /// Before the request is started, or posted: one packet is to come.
    void begin()
    {
        overlapped = {};
        require(!owed.exchange(1), "a request was started that still pends");
    }
    /// It was told, by a packet or by the result of the call.
    void end() { require(owed.exchange(0) == 1, "a request was told twice"); }
    LONG status() const { return static_cast<LONG>(overlapped.Internal); }
};

/// One packet as either way of removal tells it.
struct Packet {
    Request* request = nullptr;
    ULONG_PTR key = 0;
    DWORD transferred = 0;
};

inline HANDLE handle_of(SOCKET socket)
{
    return reinterpret_cast<HANDLE>(socket);
}

inline void associate(HANDLE file, HANDLE port, ULONG_PTR key)
{
    require(CreateIoCompletionPort(file, port, key, 0) == port, "associating a file");
}

/// Owns a kernel handle.
class UniqueHandle {
public:
    explicit UniqueHandle(HANDLE handle = nullptr)
        : m_handle(handle)
    {
    }
    UniqueHandle(const UniqueHandle&) = delete;
    UniqueHandle(UniqueHandle&& other) noexcept
        : m_handle(std::exchange(other.m_handle, nullptr))
    {
    }
    ~UniqueHandle() { reset(); }
    HANDLE get() const { return m_handle; }
    void reset(HANDLE handle = nullptr)
    {
        if (m_handle)
            CloseHandle(m_handle);
        m_handle = handle;
    }

private:
    HANDLE m_handle;
};

inline HANDLE new_port()
{
    const HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    require(port != nullptr, "making a port");
    return port;
}

inline HANDLE copy_of(HANDLE handle)
{
    const HANDLE process = GetCurrentProcess();
    HANDLE copy = nullptr;
    require(DuplicateHandle(process, handle, process, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS),
        "DuplicateHandle");
    return copy;
}

} // namespace stress
