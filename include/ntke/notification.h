// Socket state notifications: registrations, memory of the PE side that both halves work on.
//
// A registration asks by one poll at a time, whose packet goes to the program's port with
// kNotificationKey and the registration. Whoever takes packets from a port makes of it what the
// program is to see, or nothing, and asks on: ntke in the removal services; where it is not on,
// ProcessSocketNotifications.
#pragma once

#include "afd/ioctl.h"
#include "afd/params.h"

namespace ntke {

/// The events of SOCK_NOTIFY_EVENT_*, and of a filter.
enum NotifyEvents : uint32_t {
    kNotifyIn = 1,
    kNotifyOut = 2,
    kNotifyHangUp = 4,
    kNotifyError = 0x40,
    kNotifyRemove = 0x80,
};

/// The state of a registration, one word that changes by atomic steps: the filter in its lowest
/// bits, and what an edge-triggered one has told and is not asked for again, kToldShift above.
enum RegistrationState : uint32_t {
    kFilterMask = 7,
    kRegistrationOneShot = 8,
    kRegistrationEdge = 0x10,
    kRegistrationEnabled = 0x20,
    kRegistrationRemoving = 0x40, // the next packet says so, and is the last
    kRegistrationOutstanding = 0x80, // a packet is to come
    kRegistrationResting = 0x100, // asks again when a thread comes for the next packet
    kRegistrationClosed = 0x200, // its socket is
    kRegistrationOver = 0x400, // its end has been told
    kRegistrationGone = 0x800, // nobody but its owner looks at it any more
    kToldShift = 16,
};

/// A registration. Owner: ws2_32.
struct Registration {
    uint32_t state; // RegistrationState
    uint32_t padding;
    uint64_t next; // Registration* of the port's resting ones
    uint64_t port; // NotificationPort*
    uint64_t socket; // handle
    uint64_t key; // the program's
    // In the layout of the program.
    uint64_t iosb[2];
    uint64_t poll[4]; // afd::PollHeader, afd::PollEntry
};
static_assert(sizeof(Registration) == 88);

/// What belongs to a port that sockets are registered with. Owner: ws2_32; it stays for ever.
struct NotificationPort {
    alignas(8) uint64_t resting; // Registration*, a stack
    uint64_t device; // handle the polls are made on, associated with the port; 0: it is closed
};

/// The completion key of polls: no program's, which is a pointer or a small number.
constexpr uint64_t kNotificationKey = 0x57533253; // "S2SW"

struct NotifyRow {
    uint32_t event;
    uint32_t conditions; // afd::PollFlags
};
constexpr NotifyRow kNotifyRows[] = {
    { kNotifyIn, afd::kPollReceive | afd::kPollAccept | afd::kPollDisconnect },
    { kNotifyOut, afd::kPollSend | afd::kPollConnect },
    { kNotifyHangUp, afd::kPollDisconnect | afd::kPollAbort },
    { kNotifyError, afd::kPollAbort | afd::kPollConnectFail },
};

/// Errors are told whatever the filter is.
constexpr uint32_t events_from_conditions(uint32_t conditions, uint32_t filter)
{
    uint32_t events = 0;
    for (const NotifyRow& row : kNotifyRows) {
        if (conditions & row.conditions)
            events |= row.event;
    }
    return events & (filter | kNotifyError);
}

/// The conditions that a registration in this state waits for.
constexpr uint32_t awaited_conditions(uint32_t state)
{
    const uint32_t events = ((state & kFilterMask) | kNotifyError) & ~(state >> kToldShift);
    uint32_t conditions = 0;
    for (const NotifyRow& row : kNotifyRows) {
        if (events & row.event)
            conditions |= row.conditions;
    }
    return conditions;
}

inline Registration* registration_from(uint64_t value)
{
    return reinterpret_cast<Registration*>(static_cast<uintptr_t>(value));
}

inline NotificationPort& port_of(const Registration& registration)
{
    return *reinterpret_cast<NotificationPort*>(static_cast<uintptr_t>(registration.port));
}

/// Changes the state; `change` is given the old one and returns the new one. Returns the new one.
template <typename Change> uint32_t change_state(Registration& registration, Change change)
{
    uint32_t state = __atomic_load_n(&registration.state, __ATOMIC_ACQUIRE);
    uint32_t changed;
    do {
        changed = change(state);
    } while (!__atomic_compare_exchange_n(
        &registration.state, &state, changed, true, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return changed;
}

/// What to do with a registration's packet.
struct Verdict {
    uint32_t events; // to be told; 0: the packet is dropped
    bool asks_again; // a poll is to be made: the registration is outstanding
    bool rests; // it is to be put to rest
};

/// A packet of the registration has been taken; its poll has found `conditions`.
inline Verdict judge(Registration& registration, uint32_t conditions)
{
    Verdict verdict {};
    change_state(registration, [&](uint32_t state) {
        verdict = {};
        const uint32_t told = state >> kToldShift;
        uint32_t events = events_from_conditions(conditions, state & kFilterMask) & ~told;
        uint32_t next = state & ~uint32_t { kRegistrationOutstanding };
        // Who wakes the resting ones is the last to look at it.
        const uint32_t gone = state & kRegistrationResting ? 0u : uint32_t { kRegistrationGone };
        if (state & kRegistrationClosed)
            return next | gone;
        if (!(state & kRegistrationEnabled))
            events = 0;
        if (state & kRegistrationRemoving) {
            verdict.events = events | kNotifyRemove;
            return next | kRegistrationOver | gone;
        }
        verdict.events = events;
        if (!(state & kRegistrationEnabled))
            return next;
        if (events && (state & kRegistrationOneShot))
            return next & ~uint32_t { kRegistrationEnabled };
        if (events && !(state & kRegistrationEdge)) {
            verdict.rests = true;
            return next | kRegistrationResting;
        }
        if (state & kRegistrationEdge)
            next |= events << kToldShift;
        verdict.asks_again = true;
        return next | kRegistrationOutstanding;
    });
    return verdict;
}

/// Leaves a registration for the next thread that comes for a packet.
inline void put_to_rest(Registration& registration)
{
    NotificationPort& port = port_of(registration);
    const auto self = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&registration));
    registration.next = __atomic_load_n(&port.resting, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(
        &port.resting, &registration.next, self, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) { }
}

/// Calls `ask` for each resting registration that is to ask again; it is outstanding by then.
template <typename Ask> void wake_resting(NotificationPort& port, Ask ask)
{
    if (!__atomic_load_n(&port.resting, __ATOMIC_RELAXED))
        return;
    Registration* registration
        = registration_from(__atomic_exchange_n(&port.resting, 0, __ATOMIC_ACQUIRE));
    while (registration) {
        Registration* const next = registration_from(registration->next);
        bool asks = false;
        change_state(*registration, [&](uint32_t state) {
            constexpr uint32_t kEnd = kRegistrationClosed | kRegistrationOver;
            const uint32_t rested = state & ~uint32_t { kRegistrationResting };
            asks = false;
            if (state & kRegistrationOutstanding)
                return rested;
            if (state & kEnd)
                return rested | kRegistrationGone;
            asks = (state & kRegistrationEnabled) && !(state & kRegistrationRemoving);
            return asks ? rested | kRegistrationOutstanding : rested;
        });
        if (asks)
            ask(*registration);
        registration = next;
    }
}

/// Writes the poll that asks for what the registration waits for. Entries as the program has them.
template <typename Entry> void prepare_poll(Registration& registration)
{
    const afd::PollHeader header {
        .timeout = afd::kPollForever, .count = 1, .exclusive = 0, .padding = {}
    };
    const uint32_t state = __atomic_load_n(&registration.state, __ATOMIC_ACQUIRE);
    Entry entry {};
    entry.socket = static_cast<decltype(entry.socket)>(registration.socket);
    entry.flags = static_cast<int32_t>(awaited_conditions(state) | afd::kPollLocalClose);
    __builtin_memcpy(registration.poll, &header, sizeof(header));
    __builtin_memcpy(registration.poll + 2, &entry, sizeof(entry));
}

template <typename Entry> constexpr uint32_t kPollSize = sizeof(afd::PollHeader) + sizeof(Entry);

/// What the poll has found.
template <typename Entry>
uint32_t found_conditions(const Registration& registration, int32_t status)
{
    afd::PollHeader header;
    Entry entry;
    __builtin_memcpy(&header, registration.poll, sizeof(header));
    __builtin_memcpy(&entry, registration.poll + 2, sizeof(entry));
    return status == 0 && header.count ? static_cast<uint32_t>(entry.flags) : 0;
}

/// Its poll could not be made: the socket is gone.
inline void lose(Registration& registration)
{
    change_state(registration, [](uint32_t state) {
        const uint32_t next
            = (state & ~uint32_t { kRegistrationOutstanding }) | kRegistrationClosed;
        return state & kRegistrationResting ? next : next | kRegistrationGone;
    });
}

/// A packet of a registration has been taken. Returns the events to tell, 0: none, and the key.
template <typename Entry, typename Key, typename Ask>
uint32_t take_packet(Registration& registration, int32_t status, Key& key, Ask ask)
{
    const auto told_key = static_cast<Key>(registration.key);
    const Verdict verdict = judge(registration, found_conditions<Entry>(registration, status));
    // From here on a registration that neither rests nor asks may be gone.
    if (verdict.rests)
        put_to_rest(registration);
    if (verdict.asks_again)
        ask(registration);
    key = told_key;
    return verdict.events;
}

} // namespace ntke
