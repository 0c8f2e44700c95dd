#pragma once

#include <functional>

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
    std::function<void()> m_body;
    void* m_handle = nullptr; // what the system calls it
};

} // namespace bench
