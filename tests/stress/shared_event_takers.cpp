// The ways to wait for a shared event.
#include "shared_events.h"

#include <iterator>

namespace stress {

const std::array<Taker::Way, 12> Taker::kWays = { {
    { "waiting for one event", &Taker::take_one },
    { "waiting for one event, with a time-out", &Taker::take_one_in_time },
    { "waiting for one event alertably", &Taker::take_one_alertably },
    { "waiting for one event by Winsock", &Taker::take_one_by_winsock },
    { "waiting for any event", &Taker::take_any },
    { "waiting for any event, a mutex or a pipe", &Taker::take_any_with_others },
    { "waiting for two events", &Taker::take_two },
    { "waiting for any event or a message", &Taker::take_any_or_message },
    { "signaling an object and waiting", &Taker::take_after_signal },
    { "waiting for a callback of the thread pool", &Taker::take_on_pool },
    { "waiting for two events and a semaphore", &Taker::take_two_with_others },
    { "waiting for an event together with a message", &Taker::take_all_or_message },
} };

Taker::Taker(const Slots& slots, HANDLE more, const HostObjects& others, bool goes_to_host,
    unsigned seed, Activity& activity)
    : m_slots(slots)
    , m_more(more)
    , m_others(others)
    , m_goes_to_host(goes_to_host)
    , m_dice(seed)
    , m_activity(activity)
    , m_done(WSACreateEvent())
{
    require(m_done.is_valid(), "WSACreateEvent");
}

void Taker::run()
{
    m_mail.open();
    m_has_begun = true;
    for (bool has_more = true; has_more;) {
        // The events are to be in the process for a while before they go.
        const bool may_move = m_goes_to_host && !m_dice.below(50);
        const Way& way
            = kWays[may_move ? kWaysInProcess + m_dice.below(kWays.size() - kWaysInProcess)
                             : m_dice.below(kWaysInProcess)];
        m_activity.doing(way.what);
        has_more = (this->*way.take)();
    }
    m_mail.receive_rest();
    m_activity.doing("finished");
}

void Taker::wait_until_it_has_begun() const
{
    while (!m_has_begun)
        Sleep(1);
}

std::array<HANDLE, kSlots> Taker::events() const
{
    std::array<HANDLE, kSlots> result;
    for (unsigned i = 0; i < kSlots; ++i)
        result[i] = event(i);
    return result;
}

bool Taker::take_of(DWORD result, const char* what)
{
    require(result < WAIT_OBJECT_0 + kSlots, what);
    return m_slots[result - WAIT_OBJECT_0]->take();
}

/// Of two that are over, both are told on.
bool Taker::take_both(unsigned first, unsigned second)
{
    const bool has_more = m_slots[first]->take();
    return m_slots[second]->take() && has_more;
}

bool Taker::take_one()
{
    const unsigned i = m_dice.below(kSlots);
    require(WaitForSingleObject(event(i), INFINITE) == WAIT_OBJECT_0, "WaitForSingleObject");
    return m_slots[i]->take();
}

bool Taker::take_one_in_time()
{
    const unsigned i = m_dice.below(kSlots);
    DWORD result = WAIT_TIMEOUT;
    while (result == WAIT_TIMEOUT)
        result = WaitForSingleObject(event(i), m_dice.below(3));
    require(result == WAIT_OBJECT_0, "WaitForSingleObject with a time-out");
    return m_slots[i]->take();
}

bool Taker::take_one_alertably()
{
    const unsigned i = m_dice.below(kSlots);
    DWORD result = WAIT_IO_COMPLETION;
    while (result == WAIT_IO_COMPLETION)
        result = WaitForSingleObjectEx(event(i), INFINITE, TRUE);
    require(result == WAIT_OBJECT_0, "WaitForSingleObjectEx");
    return m_slots[i]->take();
}

bool Taker::take_one_by_winsock()
{
    const unsigned i = m_dice.below(kSlots);
    const WSAEVENT events[] = { event(i) };
    DWORD result = WSA_WAIT_IO_COMPLETION;
    while (result == WSA_WAIT_IO_COMPLETION)
        result = WSAWaitForMultipleEvents(1, events, FALSE, WSA_INFINITE, m_dice.below(2));
    require(result == WSA_WAIT_EVENT_0, "WSAWaitForMultipleEvents");
    return m_slots[i]->take();
}

bool Taker::take_any()
{
    return take_of(
        WaitForMultipleObjects(kSlots, events().data(), FALSE, INFINITE), "WaitForMultipleObjects");
}

bool Taker::take_any_with_others()
{
    const auto mine = events();
    const HANDLE handles[]
        = { m_others.mutex(), mine[0], mine[1], m_others.pipe(), mine[2], mine[3] };
    constexpr unsigned kPlaces[] = { kSlots, 0, 1, kSlots, 2, 3 };
    DWORD result = WAIT_IO_COMPLETION;
    while (result == WAIT_IO_COMPLETION)
        result = WaitForMultipleObjectsEx(
            std::size(handles), handles, FALSE, INFINITE, m_dice.below(2));
    require(result < std::size(handles), "WaitForMultipleObjects with objects of the host");
    return take_of(kPlaces[result], "an object of the host is signaled");
}

bool Taker::take_two()
{
    const unsigned first = m_dice.below(kSlots);
    const unsigned second = (first + 1 + m_dice.below(kSlots - 1)) % kSlots;
    const HANDLE handles[] = { event(first), event(second) };
    require(
        WaitForMultipleObjects(2, handles, TRUE, INFINITE) < 2, "WaitForMultipleObjects for all");
    return take_both(first, second);
}

bool Taker::take_any_or_message()
{
    const auto handles = events();
    for (;;) {
        const DWORD result
            = MsgWaitForMultipleObjects(kSlots, handles.data(), FALSE, INFINITE, QS_ALLINPUT);
        if (result != WAIT_OBJECT_0 + kSlots)
            return take_of(result, "MsgWaitForMultipleObjects");
        m_mail.receive_messages();
    }
}

bool Taker::take_after_signal()
{
    const unsigned i = m_dice.below(kSlots);
    const DWORD result = SignalObjectAndWait(m_more, event(i), INFINITE, FALSE);
    require(result == WAIT_OBJECT_0, "SignalObjectAndWait");
    return m_slots[i]->take();
}

bool Taker::take_on_pool()
{
    struct Callback {
        Slot& slot;
        HANDLE done;
        bool has_more;
        static void CALLBACK run(void* self, BOOLEAN)
        {
            auto* callback = static_cast<Callback*>(self);
            callback->has_more = callback->slot.take();
            require(SetEvent(callback->done), "SetEvent");
        }
    };
    const unsigned i = m_dice.below(kSlots);
    Callback callback { *m_slots[i], m_done.get(), false };
    HANDLE wait;
    require(RegisterWaitForSingleObject(
                &wait, event(i), Callback::run, &callback, INFINITE, WT_EXECUTEONLYONCE),
        "RegisterWaitForSingleObject");
    require(WaitForSingleObject(m_done.get(), INFINITE) == WAIT_OBJECT_0, "WaitForSingleObject");
    require(ResetEvent(m_done.get()), "ResetEvent");
    require(UnregisterWaitEx(wait, INVALID_HANDLE_VALUE), "UnregisterWaitEx");
    return callback.has_more;
}

bool Taker::take_two_with_others()
{
    const unsigned first = m_dice.below(kSlots);
    const unsigned second = (first + 1) % kSlots;
    const HANDLE handles[] = { event(first), m_others.semaphore(), event(second) };
    require(WaitForMultipleObjects(3, handles, TRUE, INFINITE) < 3,
        "WaitForMultipleObjects for all, with a semaphore");
    return take_both(first, second);
}

bool Taker::take_all_or_message()
{
    const unsigned i = m_dice.below(kSlots);
    const HANDLE handles[] = { event(i) };
    // A message of its own: others may not come.
    require(PostThreadMessageW(GetCurrentThreadId(), WM_USER, 0, 0), "PostThreadMessage");
    require(MsgWaitForMultipleObjectsEx(1, handles, INFINITE, QS_ALLINPUT, MWMO_WAITALL) < 2,
        "MsgWaitForMultipleObjectsEx for all");
    m_mail.receive_messages();
    return m_slots[i]->take();
}

} // namespace stress
