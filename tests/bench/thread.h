#pragma once

#include <winsock2.h>
#include <functional>
#include <utility>

namespace bench {

/// A thread that is joined when its owner goes away. The owner must first make the body end (close
/// or shut down the socket it reads from).
class Thread {
public:
    Thread() = default;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { join(); }

    /// Returns false if the system has no thread to give.
    bool start(std::function<void()> body);

    /// Waits for the body to return; at once if there is none.
    void join();

private:
    static DWORD WINAPI entry(void* self);

    std::function<void()> m_body;
    HANDLE m_handle = nullptr;
};

} // namespace bench
