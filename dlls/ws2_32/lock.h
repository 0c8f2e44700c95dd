// Slim reader/writer locks with scope guards. MinGW's default C++ library has no std::mutex.
#pragma once

#include "sdk.h"

namespace ws2 {

/// A slim reader/writer lock. Not recursive; costs nothing to make and needs no clean-up.
class SrwLock {
public:
    void acquire_exclusive() { AcquireSRWLockExclusive(&m_lock); }
    bool try_acquire_exclusive() { return TryAcquireSRWLockExclusive(&m_lock); }
    void release_exclusive() { ReleaseSRWLockExclusive(&m_lock); }
    void acquire_shared() { AcquireSRWLockShared(&m_lock); }
    void release_shared() { ReleaseSRWLockShared(&m_lock); }

private:
    SRWLOCK m_lock = SRWLOCK_INIT;
};

class ExclusiveGuard {
public:
    explicit ExclusiveGuard(SrwLock& lock)
        : m_lock(lock)
    {
        m_lock.acquire_exclusive();
    }
    ~ExclusiveGuard() { m_lock.release_exclusive(); }
    ExclusiveGuard(const ExclusiveGuard&) = delete;

private:
    SrwLock& m_lock;
};

class SharedGuard {
public:
    explicit SharedGuard(SrwLock& lock)
        : m_lock(lock)
    {
        m_lock.acquire_shared();
    }
    ~SharedGuard() { m_lock.release_shared(); }
    SharedGuard(const SharedGuard&) = delete;

private:
    SrwLock& m_lock;
};

} // namespace ws2
