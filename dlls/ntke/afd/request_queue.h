// Requests that wait in the driver.
#pragma once

#include <atomic>
#include <cstdint>

#include "afd/timer.h"
#include "io/irp.h"
#include "ke/pool.h"

namespace afd {

class RequestQueue;
class SocketFile;

/// What the driver keeps for a pending request, the base of what its kind needs more. Counterpart:
/// IRP.Tail.Overlay.DriverContext. Owner: the request (Irp::driver.context).
struct Request {
    /// Where it waits. Both change together, under the locks of the owner before and after: take
    /// the owner's lock, then look again.
    std::atomic<SocketFile*> owner { nullptr };
    RequestQueue* queue = nullptr;
    Timer timer;
    uint32_t timeout = 0; // milliseconds after which it ends with STATUS_IO_TIMEOUT, 0: never
    /// The end of a claimed request before it is told: adds to the result. No lock held. May be
    /// null.
    void (*finish)(io::Irp& irp, Request& request) = nullptr;
    NTSTATUS status = 0;
    ULONG_PTR information = 0;

    static Request& of(const io::Irp& irp) { return *static_cast<Request*>(irp.driver.context); }

    /// Gives `request`, from the pool, to the IRP. Before irp.pend().
    template <typename T> static void give(io::Irp& irp, T* request)
    {
        irp.driver.context = static_cast<Request*>(request);
        irp.driver.free_context = [](void* context) {
            ke::pool_delete(static_cast<T*>(static_cast<Request*>(context)));
        };
    }
};

/// Pending requests of one kind to one endpoint, oldest first. Owner: the endpoint. Lock: the
/// endpoint's, except for is_empty().
///
/// Claimed requests stay in the queue until whoever claimed them takes them off.
class RequestQueue {
public:
    /// May be another answer when the caller looks at it, unless the lock is held.
    bool is_empty() const { return !m_first.load(std::memory_order_acquire); }
    io::Irp* first() const { return m_first.load(std::memory_order_relaxed); }
    void push(io::Irp& irp);
    void remove(io::Irp& irp);

private:
    std::atomic<io::Irp*> m_first { nullptr };
    io::Irp* m_last = nullptr;
};

/// Claimed requests with their results, to be completed when no lock is held. Owner: a stack frame;
/// declared before the lock's guard, so that it goes after it.
class Completions {
public:
    Completions() = default;
    Completions(const Completions&) = delete;
    ~Completions();

    /// `irp` is claimed and in no queue.
    void add(io::Irp& irp, NTSTATUS status, ULONG_PTR information);

private:
    io::Irp* m_first = nullptr;
    io::Irp* m_last = nullptr;
};

/// Completes a claimed request that is in no queue. No lock held.
void complete_request(io::Irp& irp, NTSTATUS status, ULONG_PTR information);

} // namespace afd
