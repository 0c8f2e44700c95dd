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
        const sigset_t set = stops();
        pthread_sigmask(SIG_BLOCK, &set, &m_before);
    }
    ~Uninterrupted() { pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }
    Uninterrupted(const Uninterrupted&) = delete;

    /// The host's signals that stop a thread.
    static sigset_t stops()
    {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1); // SuspendThread
        sigaddset(&set, SIGQUIT); // TerminateThread
        return set;
    }
    /// The signals that are blocked outside, for calls that wait.
    const sigset_t& before() const { return m_before; }
    /// The same without the stops, where the section may be inside another one.
    sigset_t before_without_stops() const
    {
        sigset_t set = m_before;
        sigdelset(&set, SIGUSR1);
        sigdelset(&set, SIGQUIT);
        return set;
    }

private:
    sigset_t m_before;
};

/// While it exists, the host can stop the calling thread again, which then holds nothing. For a
/// wait inside an Uninterrupted section.
class Interruptible {
public:
    Interruptible() { pthread_sigmask(SIG_UNBLOCK, &m_stops, nullptr); }
    ~Interruptible() { pthread_sigmask(SIG_BLOCK, &m_stops, nullptr); }
    Interruptible(const Interruptible&) = delete;

private:
    const sigset_t m_stops = Uninterrupted::stops();
};

} // namespace unix_side
