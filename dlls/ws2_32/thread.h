// What ws2_32 keeps per thread.
#pragma once

#include "sdk.h"

namespace ws2 {

/// Per-thread state. Owner: the thread; made on first use, freed when the thread or the DLL goes.
struct Thread {
    HANDLE wait_event = nullptr; // notification event of the thread's blocking calls
    bool wait_event_in_use = false; // a blocking call below us on the stack waits for it
    DWORD open_type = 0; // SO_OPENTYPE: 0 or SO_SYNCHRONOUS_(NON)ALERT for later sockets
    char inet_ntoa_text[16] = {};
    void* host_entry
        = nullptr; // gethostby*: one block from the process heap, freed with the thread
    void* service_entry = nullptr; // getservby*: likewise
    void* protocol_entry = nullptr; // getprotoby*: likewise

    /// The calling thread's state; null only when memory is out.
    static Thread* current();
};

/// DllMain's share: the TLS slot and the end of a thread. Return false when there is no slot.
bool thread_attach_process();
void thread_detach_process();
void thread_detach_thread();

/// The event of one blocking call, from the calling thread's store. A user APC that runs inside a
/// blocking call and blocks itself gets an event of its own.
class WaitEvent {
public:
    WaitEvent();
    ~WaitEvent();
    WaitEvent(const WaitEvent&) = delete;
    /// Null when the kernel had no event left.
    HANDLE get() const { return m_event; }

private:
    Thread* m_thread;
    HANDLE m_event = nullptr;
};

} // namespace ws2
