// Work that the thread which has begun it must finish.
#pragma once

#include "ke/thread.h"

namespace io {

/// While it exists, the calling thread has something in its hands that it finishes with the host's
/// help: a thread of this process that terminates it waits for that (host_threads::stop). What
/// another process terminates leaves it half done. Owner: a frame.
class Undertaking {
public:
    Undertaking();
    ~Undertaking();
    Undertaking(const Undertaking&) = delete;
    /// False: it is being terminated already, and must leave the work to others. It can still ask
    /// Linux.
    explicit operator bool() const { return m_thread; }

private:
    ke::Thread* m_thread;
};

} // namespace io
