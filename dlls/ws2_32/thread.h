// What ws2_32 keeps per thread.
#pragma once

#include <atomic>

#include "sdk.h"

namespace ntke::timeline {
struct Ring;
}

namespace ws2 {

struct GateCall;

/// Memory from the process heap that a thread keeps for one kind of entry, from its first one on.
struct ThreadBlock {
    void* memory = nullptr;
    size_t size = 0;
};

/// Who ends a blocking call. An event that the host has had is the host's for good, and costs
/// requests of it from then on, so what ntke serves waits for another one, and what turns out to be
/// served or not for a third.
enum class WaitsFor { kHost, kNtke, kEither };

/// Per-thread state. Owner: the thread, from its first use to its end. Then it is empty and waits
/// for another thread; the memory goes with the DLL.
struct Thread {
    struct KeptEvent {
        HANDLE handle = nullptr; // notification event
        bool in_use = false; // a blocking call below us on the stack waits for it
    };
    KeptEvent wait_events[3]; // of the thread's blocking calls, by WaitsFor
    DWORD open_type = 0; // SO_OPENTYPE: 0 or SO_SYNCHRONOUS_(NON)ALERT for later sockets
    char inet_ntoa_text[16] = {};
    ThreadBlock host_entry; // gethostby*
    ThreadBlock service_entry; // getservby*
    ThreadBlock protocol_entry; // getprotoby*

    GateCall* gate_call = nullptr; // the innermost (gate.h)
    ntke::timeline::Ring* ring = nullptr; // what it records to
    bool is_ring_told = false; // ntke has it too
    bool is_ring_lost = false; // there was none

    std::atomic<bool> is_taken { true }; // a thread owns it
    Thread* next = nullptr; // of all there are; never changes

    /// The calling thread's state; null only when memory is out.
    static Thread* current();
};

/// DllMain's share: the TLS slot, false when there is none, and the end of a thread.
/// thread_detach_process is for a DLL that is freed, when no thread is in a call; it lets go of
/// what every thread has, also of those that live on.
bool thread_attach_process();
void thread_detach_process();
void thread_detach_thread();

/// The event of one blocking call, from the calling thread's store. A user APC that runs inside a
/// blocking call and blocks itself gets an event of its own.
class WaitEvent {
public:
    explicit WaitEvent(WaitsFor whom);
    ~WaitEvent();
    WaitEvent(const WaitEvent&) = delete;
    /// Null when the kernel had no event left.
    HANDLE get() const { return m_event; }

private:
    Thread::KeptEvent* m_kept = nullptr; // where the event comes from, if it is the thread's
    HANDLE m_event = nullptr;
};

} // namespace ws2
