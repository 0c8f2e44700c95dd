// Waiting as it should be: a model small enough to be seen to be right.
//
// Everything happens one step after the other, so there are no locks, no races and no threads: a
// wait is an entry in a list. The order of the list is the order in which the waits began.
#pragma once

#include <cstdint>

#include "nt/status.h"
#include "nt/types.h"

namespace model {

constexpr uint32_t kEvents = 5;
constexpr uint32_t kWaiters = 4;
constexpr uint32_t kMostObjects = 4;
constexpr NTSTATUS kWaiting = -1;

struct Wait {
    WaitType type = kWaitAny;
    uint32_t count = 0;
    uint32_t objects[kMostObjects] = {};
    bool is_alertable = false;
    bool is_test_only = false; // time-out of zero
};

struct Waiter {
    bool is_waiting = false;
    Wait wait;
    uint64_t order = 0;
    NTSTATUS result = 0;
    uint32_t queued_apcs = 0;
    uint32_t run_apcs = 0;
    bool is_alerted = false;
};

class Kernel {
public:
    bool is_signaled[kEvents] = {};
    bool is_synchronization[kEvents] = {};
    Waiter waiters[kWaiters];

    bool set(uint32_t event)
    {
        const bool previous = is_signaled[event];
        is_signaled[event] = true;
        while (Waiter* waiter = oldest_satisfiable(event))
            satisfy(*waiter, event);
        return previous;
    }
    bool reset(uint32_t event)
    {
        const bool previous = is_signaled[event];
        is_signaled[event] = false;
        return previous;
    }
    bool pulse(uint32_t event)
    {
        const bool previous = set(event);
        is_signaled[event] = false;
        return previous;
    }

    void begin_wait(uint32_t index, const Wait& wait)
    {
        Waiter& waiter = waiters[index];
        waiter.wait = wait;
        waiter.order = ++m_order;
        if (wait.type == kWaitAll && has_duplicates(wait))
            return end(waiter, STATUS_INVALID_PARAMETER_MIX);
        waiter.is_waiting = true;
        waiter.result = kWaiting;
        if (wait.type == kWaitAny) {
            for (uint32_t i = 0; i < wait.count; ++i) {
                if (is_signaled[wait.objects[i]])
                    return satisfy(waiter, wait.objects[i]);
            }
        } else if (all_signaled(wait)) {
            return satisfy(waiter, wait.objects[0]);
        }
        interrupt_if_due(waiter);
        if (waiter.is_waiting && wait.is_test_only)
            end(waiter, STATUS_TIMEOUT);
    }
    void time_out(uint32_t index)
    {
        if (waiters[index].is_waiting)
            end(waiters[index], STATUS_TIMEOUT);
    }
    void queue_apc(uint32_t index)
    {
        ++waiters[index].queued_apcs;
        interrupt_if_due(waiters[index]);
    }
    void alert(uint32_t index)
    {
        waiters[index].is_alerted = true;
        interrupt_if_due(waiters[index]);
    }

private:
    static bool has_duplicates(const Wait& wait)
    {
        for (uint32_t i = 0; i < wait.count; ++i) {
            for (uint32_t j = 0; j < i; ++j) {
                if (wait.objects[i] == wait.objects[j])
                    return true;
            }
        }
        return false;
    }
    bool all_signaled(const Wait& wait) const
    {
        for (uint32_t i = 0; i < wait.count; ++i) {
            if (!is_signaled[wait.objects[i]])
                return false;
        }
        return true;
    }
    Waiter* oldest_satisfiable(uint32_t event)
    {
        Waiter* oldest = nullptr;
        for (Waiter& waiter : waiters) {
            if (!waiter.is_waiting || !is_signaled[event])
                continue;
            bool has_event = false;
            for (uint32_t i = 0; i < waiter.wait.count; ++i)
                has_event |= waiter.wait.objects[i] == event;
            if (!has_event || (waiter.wait.type == kWaitAll && !all_signaled(waiter.wait)))
                continue;
            if (!oldest || waiter.order < oldest->order)
                oldest = &waiter;
        }
        return oldest;
    }
    void take(uint32_t event)
    {
        if (is_synchronization[event])
            is_signaled[event] = false;
    }
    void satisfy(Waiter& waiter, uint32_t event)
    {
        const Wait& wait = waiter.wait;
        if (wait.type == kWaitAll) {
            for (uint32_t i = 0; i < wait.count; ++i)
                take(wait.objects[i]);
            return end(waiter, STATUS_WAIT_0);
        }
        take(event);
        uint32_t index = 0;
        while (wait.objects[index] != event)
            ++index;
        end(waiter, STATUS_WAIT_0 + static_cast<NTSTATUS>(index));
    }
    void interrupt_if_due(Waiter& waiter)
    {
        if (!waiter.is_waiting || !waiter.wait.is_alertable)
            return;
        if (waiter.is_alerted) {
            waiter.is_alerted = false;
            end(waiter, STATUS_ALERTED);
        } else if (waiter.queued_apcs) {
            end(waiter, STATUS_USER_APC);
        }
    }
    void end(Waiter& waiter, NTSTATUS result)
    {
        waiter.is_waiting = false;
        waiter.result = result;
    }

    uint64_t m_order = 0;
};

} // namespace model
