// Sections in which the host stops no thread.
#pragma once

#include <csignal>

namespace unix_side {

/// While it exists, the calling thread is neither suspended nor terminated: the host does both with
/// a signal, and a thread that holds a lock of ours would hold it for long, or for ever. Costs two
/// calls of Linux. Not for what waits.
class Uninterrupted {
public:
    Uninterrupted()
    {
        sigset_t stops;
        sigemptyset(&stops);
        sigaddset(&stops, SIGUSR1); // SuspendThread
        sigaddset(&stops, SIGQUIT); // TerminateThread
        pthread_sigmask(SIG_BLOCK, &stops, &m_before);
    }
    ~Uninterrupted() { pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }
    Uninterrupted(const Uninterrupted&) = delete;

    /// The signals that are blocked outside, for calls that wait.
    const sigset_t& before() const { return m_before; }

private:
    sigset_t m_before;
};

} // namespace unix_side
