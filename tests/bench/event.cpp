#include "workloads.h"
#include "loopback.h"

namespace bench {

namespace {

class CreateClose : public Workload {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            const WSAEVENT event = WSACreateEvent();
            if (event == WSA_INVALID_EVENT || !WSACloseEvent(event))
                return fail("WSACreateEvent, WSACloseEvent");
        }
        return true;
    }
};

/// What the others share: one event, and a question whether it is signaled.
class OneEvent : public Workload {
public:
    bool set_up() override
    {
        m_event.reset(WSACreateEvent());
        return expect(m_event.is_valid(), "WSACreateEvent");
    }

protected:
    WSAEVENT event() const { return m_event.get(); }
    bool expect_state(DWORD result) const
    {
        const WSAEVENT events[] = { event() };
        return expect(WSAWaitForMultipleEvents(1, events, FALSE, 0, FALSE) == result,
            "the event is in the wrong state");
    }

private:
    UniqueEvent m_event;
};

class Set : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!WSASetEvent(event()))
                return fail("WSASetEvent");
        }
        return true;
    }
    bool verify() override { return expect_state(WSA_WAIT_EVENT_0); }
};

class Reset : public OneEvent {
public:
    bool set_up() override
    {
        return OneEvent::set_up() && expect(WSASetEvent(event()), "WSASetEvent");
    }
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!WSAResetEvent(event()))
                return fail("WSAResetEvent");
        }
        return true;
    }
    bool verify() override { return expect_state(WSA_WAIT_TIMEOUT); }
};

class WaitSignaled : public OneEvent {
public:
    bool set_up() override
    {
        return OneEvent::set_up() && expect(WSASetEvent(event()), "WSASetEvent");
    }
    bool run(uint64_t iterations) override
    {
        const WSAEVENT events[] = { event() };
        for (uint64_t i = 0; i < iterations; ++i) {
            if (WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) != WSA_WAIT_EVENT_0)
                return fail("WSAWaitForMultipleEvents on a signaled event");
        }
        return true;
    }
    bool verify() override
    {
        return expect(WSAResetEvent(event()), "WSAResetEvent") && expect_state(WSA_WAIT_TIMEOUT);
    }
};

/// By the system's own functions: an event of Winsock is one of the system.
class KernelSet : public OneEvent {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!SetEvent(event()) || !ResetEvent(event()))
                return fail("SetEvent, ResetEvent");
        }
        return true;
    }
    bool verify() override
    {
        return expect_state(WSA_WAIT_TIMEOUT) && expect(SetEvent(event()), "SetEvent")
            && expect_state(WSA_WAIT_EVENT_0);
    }
};

class KernelWaitSignaled : public WaitSignaled {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (WaitForSingleObject(event(), INFINITE) != WAIT_OBJECT_0)
                return fail("WaitForSingleObject on a signaled event");
        }
        return true;
    }
};

} // namespace

std::vector<WorkloadRow> event_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "event_create_close", us, create<CreateClose> },
        { "event_set", us, create<Set> },
        { "event_reset", us, create<Reset> },
        { "event_wait_signaled", us, create<WaitSignaled> },
        { "kernel_event_set", us, create<KernelSet> },
        { "kernel_wait_signaled", us, create<KernelWaitSignaled> },
    };
}

} // namespace bench
