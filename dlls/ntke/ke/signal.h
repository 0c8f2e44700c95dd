// Waking threads and locking what a signal touches.
#pragma once

#include "ke/dispatcher.h"
#include "ke/sleeper.h"

namespace ke {

/// Threads to wake, kept until the locks are released, so that a woken thread does
/// not run into them. Owner: a stack frame.
class WakeList {
public:
    WakeList() = default;
    WakeList(const WakeList&) = delete;
    ~WakeList() { flush(); }

    void add(Sleeper sleeper)
    {
        if (!sleeper)
            return;
        if (m_count == kCapacity)
            flush();
        m_sleepers[m_count++] = sleeper;
    }
    void flush()
    {
        for (uint32_t i = 0; i < m_count; ++i)
            m_sleepers[i].wake();
        m_count = 0;
    }

private:
    static constexpr uint32_t kCapacity = 32;
    Sleeper m_sleepers[kCapacity];
    uint32_t m_count = 0;
};

/// Locks an object that is about to be signaled and, if threads wait for it together with others
/// (wait-all), those other objects too: whether such a wait is satisfied is decided for one moment.
///
/// The set is only known once the first object is locked. Going up in address order is always safe;
/// an object below one already held is tried, and if that fails everything is released and begun
/// again. Of two threads that want each other's object, the one that holds the lower waits and gets
/// it, so one of them always comes through.
class SCOPED_CAPABILITY SignalGuard {
public:
    explicit SignalGuard(DispatcherObject& object) ACQUIRE(object);
    ~SignalGuard() RELEASE();
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;

private:
    bool try_lock_companions();
    bool hold(DispatcherObject& object);
    void release_all();

    DispatcherObject& m_object;
    DispatcherObject* m_held = nullptr;
    DispatcherObject* m_highest = nullptr;
};

} // namespace ke
