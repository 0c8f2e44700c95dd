#include "counted.h"

namespace bench {

namespace {

using Fixture = CountedFixture;

bool make_fresh_event(Fixture& f)
{
    f.fresh_event.reset(WSACreateEvent());
    return f.fresh_event.is_valid();
}

bool close_fresh_event(Fixture& f)
{
    f.fresh_event.reset();
    return true;
}

bool set_event(Fixture& f)
{
    return WSASetEvent(f.event.get());
}

bool reset_event(Fixture& f)
{
    return WSAResetEvent(f.event.get());
}

bool wait_for_event(Fixture& f, DWORD result)
{
    const WSAEVENT events[] = { f.event.get() };
    return WSAWaitForMultipleEvents(1, events, FALSE, 0, FALSE) == result;
}

bool set_by_kernel(Fixture& f)
{
    return SetEvent(f.event.get());
}

bool reset_by_kernel(Fixture& f)
{
    return ResetEvent(f.event.get());
}

bool event_select(Fixture& f)
{
    return !WSAEventSelect(f.server.get(), f.event.get(), FD_READ | FD_CLOSE);
}

bool enumerate(Fixture& f, WSAEVENT event, long expected)
{
    WSANETWORKEVENTS record;
    return !WSAEnumNetworkEvents(f.server.get(), event, &record)
        && record.lNetworkEvents == expected;
}

/// A byte arrives and the event says so, without its record being read.
bool arrive(Fixture& f)
{
    const WSAEVENT events[] = { f.event.get() };
    return event_select(f) && send_all(f.client.get(), "a", 1)
        && WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, FALSE) == WSA_WAIT_EVENT_0;
}

bool drain(Fixture& f)
{
    char byte;
    return recv(f.server.get(), &byte, 1, 0) == 1;
}

} // namespace

std::vector<CountedCall> counted_event_calls()
{
    return {
        { "WSACreateEvent", nullptr, make_fresh_event, close_fresh_event },
        { "WSASetEvent", nullptr, set_event, nullptr },
        { "WSAResetEvent", nullptr, reset_event, nullptr },
        { "WSACloseEvent", make_fresh_event,
            [](Fixture& f) {
                const BOOL closed = WSACloseEvent(f.fresh_event.get());
                f.fresh_event.release();
                return closed == TRUE;
            },
            nullptr },
        { "WSAWaitForMultipleEvents (signaled)", set_event,
            [](Fixture& f) { return wait_for_event(f, WSA_WAIT_EVENT_0); }, nullptr },
        { "WSAWaitForMultipleEvents (not signaled)", reset_event,
            [](Fixture& f) { return wait_for_event(f, WSA_WAIT_TIMEOUT); }, nullptr },
        { "SetEvent", nullptr, set_by_kernel, nullptr },
        { "ResetEvent", nullptr, reset_by_kernel, nullptr },
        { "WaitForSingleObject (signaled)", set_event,
            [](Fixture& f) {
                return WaitForSingleObject(f.event.get(), INFINITE) == WAIT_OBJECT_0;
            },
            nullptr },
        { "WSAEventSelect", nullptr, event_select, nullptr },
        { "WSAEnumNetworkEvents (event)", event_select,
            [](Fixture& f) { return enumerate(f, f.event.get(), 0); }, nullptr },
        { "WSAEnumNetworkEvents (no event)", event_select,
            [](Fixture& f) { return enumerate(f, nullptr, 0); }, nullptr },
        { "WSAEnumNetworkEvents (event, FD_READ)", arrive,
            [](Fixture& f) { return enumerate(f, f.event.get(), FD_READ); }, drain },
        { "WSAEnumNetworkEvents (no event, FD_READ)", arrive,
            [](Fixture& f) { return enumerate(f, nullptr, FD_READ); }, drain },
    };
}

} // namespace bench
