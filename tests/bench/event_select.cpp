#include "workloads.h"
#include "loopback.h"

namespace bench {

namespace {

/// A connected socket associated with an event, nothing pending on it.
class SelectedSocket : public Workload {
public:
    bool set_up() override
    {
        m_event.reset(WSACreateEvent());
        return expect(m_event.is_valid(), "WSACreateEvent")
            && expect(connect_pair(m_client, m_server), "making a connection") && select();
    }

    /// The association must still report what arrives, once.
    bool verify() override
    {
        const WSAEVENT events[] = { m_event.get() };
        char byte = 'v';
        return enumerate(0) && expect(send_all(m_client.get(), &byte, 1), "send")
            && expect(
                WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0,
                "waiting for FD_READ")
            && enumerate(FD_READ) && enumerate(0);
    }

protected:
    bool select()
    {
        if (WSAEventSelect(m_server.get(), m_event.get(), FD_READ | FD_CLOSE))
            return fail("WSAEventSelect");
        return true;
    }
    bool enumerate(long expected)
    {
        WSANETWORKEVENTS record;
        if (WSAEnumNetworkEvents(m_server.get(), m_event.get(), &record))
            return fail("WSAEnumNetworkEvents");
        if (record.lNetworkEvents != expected)
            return fail("WSAEnumNetworkEvents gave other events than expected");
        return true;
    }

private:
    UniqueEvent m_event;
    UniqueSocket m_client;
    UniqueSocket m_server;
};

class EventSelect : public SelectedSocket {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!select())
                return false;
        }
        return true;
    }
};

/// With the event given, nothing pending: the call that ends each turn of an event loop.
class EnumNetworkEvents : public SelectedSocket {
public:
    bool run(uint64_t iterations) override
    {
        for (uint64_t i = 0; i < iterations; ++i) {
            if (!enumerate(0))
                return false;
        }
        return true;
    }
};

} // namespace

std::vector<WorkloadRow> event_select_workloads()
{
    constexpr Unit us = Unit::MicrosecondsPerOperation;
    return {
        { "event_select", us, create<EventSelect> },
        { "enum_network_events", us, create<EnumNetworkEvents> },
    };
}

} // namespace bench
