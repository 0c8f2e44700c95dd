// Endpoints side by side with their models: each step is done to both, then they are compared.
#include <cerrno>
#include <utility>

#include "event_record_model.h"
#include "event_record_schedule.h"
#include "fake_host_socket.h"
#include "test_endpoint.h"

namespace schedule {

namespace {

using ntke::SocketState;
using Kind = fake::Socket::Kind;
using Link = fake::Socket::Link;

constexpr int kNoEvent = -1;

// --- The endpoints under test, next to the model

struct Slot {
    int fd = -1;
    ob::Ref<afd::Endpoint> endpoint;
    model::Record record;
    int event = kNoEvent;
    uint32_t last_told = 0; // what the pump told last
    bool is_host_asked = false;
    bool is_looked_at = false; // in this step the endpoint has brought its record up to date
    NTSTATUS connect_status = STATUS_SUCCESS;

    fake::Socket& net() const { return fake::network[fd]; }
    model::Facts facts() const
    {
        const fake::Socket& socket = net();
        return { socket.has_data(), socket.has_urgent(), socket.has_room(), socket.queued != 0,
            socket.has_ended, socket.was_reset };
    }
    bool is(SocketState state) const { return record.state == state; }
    bool has(uint32_t flag) const { return record.flags & flag; }
    bool is_stream() const { return net().kind == Kind::Stream; }
    /// Can a peer send something here?
    bool is_open_stream() const
    {
        return is_stream() && net().is_established() && !net().was_reset;
    }
    /// Has a connect ended, of which the endpoint does not know?
    bool has_outcome() const
    {
        return is(SocketState::Connecting) && net().link != Link::Connecting;
    }
};

class World;
World* g_world;

uint64_t g_steps;

class World {
public:
    explicit World(bool is_settled_by_host)
        : m_is_settled_by_host(is_settled_by_host)
    {
        g_world = this;
        afd::Endpoint::settle_with_host = is_settled_by_host ? note_question : nullptr;
        for (auto& event : m_events)
            ke::Event::create(kNotificationEvent, false, event);
        fill(m_slots[0], Kind::Listener, false);
        fill(m_slots[1], Kind::Stream, false);
        fill(m_slots[2], Kind::Datagram, false);
        fill(m_slots[3], Kind::Stream, true);
    }
    ~World()
    {
        for (Slot& slot : m_slots)
            empty(slot);
        release_unwatched();
        afd::Endpoint::settle_with_host = nullptr;
    }

    /// Does one operation in both and compares. False when they differ.
    bool step(const Operation& operation)
    {
        m_maybe_looked_at = nullptr;
        m_failure = nullptr;
        m_late_event = kNoEvent;
        for (Slot& each : m_slots)
            each.is_looked_at = false;
        Slot& slot = m_slots[operation.slot];
        if (is_beyond_the_host(operation, slot) || !apply(operation, slot))
            return !m_failure;
        ++g_steps;
        return !m_failure && agree();
    }
    /// The pump tells all it has; then everything is enumerated.
    bool finish()
    {
        for (uint8_t i = 0; i < kSlots; ++i) {
            for (const Step last : { Step::PumpTells, Step::PumpFetches, Step::PumpTells,
                     Step::HostSettles, Step::Enumerate }) {
                if (!step({ last, i, 0, 0, 0 }))
                    return false;
            }
        }
        return true;
    }
    const char* failure() const { return m_failure; }

private:
    // --- Sockets

    void fill(Slot& slot, Kind kind, bool is_accepted, const Slot* listener = nullptr)
    {
        if (fake::free_descriptor() < 0)
            release_unwatched();
        slot = Slot();
        slot.fd = fake::free_descriptor();
        slot.net().create(kind, is_accepted ? Link::Open : Link::Fresh);
        if (kind == Kind::Datagram)
            slot.record.state = SocketState::Datagram;
        else
            slot.record.state = is_accepted ? SocketState::Connected : SocketState::Unconnected;
        ntke::AttachArgs args {};
        args.type = kind == Kind::Datagram ? 2 : 1;
        args.state = static_cast<uint32_t>(slot.record.state);
        unit::TestEndpoint::attach(slot.fd, args, slot.endpoint);
        if (listener && listener->record.mask) {
            slot.endpoint->inherit_selection(*listener->endpoint);
            slot.event = listener->event;
            slot.record.select(listener->record.mask, slot.facts());
            looked_at(slot);
        }
    }
    void empty(Slot& slot)
    {
        const ob::Ref<ke::Event> event = slot.endpoint->close_socket();
        check(event.get() == event_of(slot), "close gave back another event");
        slot.endpoint.reset();
        slot.event = kNoEvent;
        slot.record = model::Record();
    }
    static void release_unwatched()
    {
        for (fake::Socket& socket : fake::network) {
            if (socket.leaving)
                socket.tell();
        }
    }
    ke::Event* event_of(const Slot& slot) const
    {
        return slot.event == kNoEvent ? nullptr : m_events[slot.event].get();
    }

    // --- Steps

    /// What Linux loses, so that no endpoint could tell it.
    static bool is_beyond_the_host(const Operation& operation, const Slot& slot)
    {
        const fake::Socket& net = slot.net();
        const uint32_t unseen = slot.record.unseen;
        const bool is_urgent_next = net.mark == 0 && net.is_urgent_unread && !net.is_inline;
        switch (operation.step) {
        case Step::Reset: // hides that there was room, and that the end came before it
            return unseen & (afd::kPollSend | afd::kPollDisconnect);
        case Step::Send: // it takes the room that nobody saw; or the error that nobody saw
            return (unseen & afd::kPollSend) || (!slot.is_stream() && net.error);
        case Step::Urgent: // there is one mark, so there may be one news of it
            return unseen & afd::kPollReceiveExpedited;
        case Step::Data: // the urgent byte that was next, has been replaced
            return (unseen & afd::kPollReceiveExpedited) && is_urgent_next;
        case Step::Receive: // it throws away the urgent byte
        case Step::ReceiveBadly:
            return is_urgent_next && !(operation.choice & 1);
        default:
            return false;
        }
    }

    /// False: it cannot be done now.
    bool apply(const Operation& operation, Slot& slot)
    {
        fake::Socket& net = slot.net();
        switch (operation.step) {
        case Step::Data:
            if (!slot.is_open_stream() || net.has_ended)
                return false;
            net.data_arrives(1 + operation.amount % 5);
            slot.record.happened(afd::kPollReceive, slot.facts());
            return true;
        case Step::Urgent:
            if (!slot.is_open_stream() || net.has_ended)
                return false;
            net.urgent_arrives();
            slot.record.happened(
                net.is_inline ? afd::kPollReceive : afd::kPollReceiveExpedited, slot.facts());
            return true;
        case Step::End:
            if (!slot.is_open_stream() || net.has_ended)
                return false;
            net.end_arrives();
            slot.record.happened(afd::kPollDisconnect, slot.facts());
            return true;
        case Step::Reset:
            if (!slot.is_open_stream() || net.is_dead())
                return false;
            net.reset_arrives();
            slot.record.happened(afd::kPollAbort, slot.facts());
            return true;
        case Step::PeerReads:
            if (!slot.is_open_stream() || !net.unsent)
                return false;
            net.peer_reads(1 + operation.amount % fake::kSpace);
            slot.record.look(slot.facts());
            return true;
        case Step::Connection:
            if (!slot.is(SocketState::Listening) || net.queued > 4)
                return false;
            net.connection_arrives();
            slot.record.happened(afd::kPollAccept, slot.facts());
            return true;
        case Step::Datagram:
            if (net.kind != Kind::Datagram || !slot.has(ntke::kSocketBound) || net.queued > 8)
                return false;
            net.datagram_arrives(operation.amount * 16u);
            slot.record.happened(afd::kPollReceive, slot.facts());
            return true;
        case Step::DatagramError:
            if (net.kind != Kind::Datagram || !slot.has(ntke::kSocketBound))
                return false;
            net.error_arrives();
            slot.record.look(slot.facts());
            return true;
        case Step::Select:
            return select(slot, operation.mask, operation.choice % kEvents);
        case Step::Cancel:
            return select(slot, 0, kNoEvent);
        case Step::SelectUnwatched:
            return select_unwatched(slot, operation);
        case Step::Enumerate:
            enumerate(slot, operation.choice % (kEvents + 2));
            return true;
        case Step::Receive:
            return receive(slot, operation.amount % 8, operation.choice & 1 ? kMsgPeek : 0, true);
        case Step::ReceiveUrgent:
            return slot.is_stream()
                && receive(slot, 1, kMsgOob | (operation.choice % 4 ? 0 : kMsgPeek), true);
        case Step::ReceiveBadly:
            return receive(
                slot, 1 + operation.amount % 8, operation.choice & 1 ? kMsgPeek : 0, false);
        case Step::Send:
            return send(slot, 1 + operation.amount % (kSpaceOver + 1));
        case Step::Accept:
            return accept(slot, operation);
        case Step::Listen:
            if (net.kind != Kind::Listener || !slot.is(SocketState::Unconnected))
                return false;
            enter(slot, SocketState::Listening, 0);
            return true;
        case Step::Connect:
            return connect(slot, operation);
        case Step::ConnectEnds:
            if (!slot.is_stream() || net.link != Link::Connecting)
                return false;
            net.connect_ends(kConnectErrors[operation.choice % std::size(kConnectErrors)]);
            return true;
        case Step::HostSettles:
            return host_settles(slot);
        case Step::Bind:
            if (net.kind != Kind::Datagram || slot.has(ntke::kSocketBound))
                return false;
            enter(slot, slot.record.state, slot.record.flags | ntke::kSocketBound);
            return true;
        case Step::SetPeer:
            return set_peer(slot);
        case Step::DropPeer:
            if (!slot.has(ntke::kSocketHasPeer))
                return false;
            enter(slot, slot.record.state, slot.record.flags & ~ntke::kSocketHasPeer);
            return true;
        case Step::ShutDownSends:
            if (!slot.is(SocketState::Connected) || slot.has(ntke::kSocketSendShutDown))
                return false;
            enter(slot, slot.record.state, slot.record.flags | ntke::kSocketSendShutDown);
            net.shut_down_sends();
            return true;
        case Step::ShutDownReceives:
            if (!slot.is(SocketState::Connected))
                return false;
            enter(slot, slot.record.state, slot.record.flags | ntke::kSocketReceiveShutDown);
            return true;
        case Step::TellState:
            if (slot.is(SocketState::Connecting))
                return false;
            enter(slot, slot.record.state, slot.record.flags);
            return true;
        case Step::HandOver:
            return hand_over(slot);
        case Step::Replace:
            empty(slot);
            if (operation.choice & 1)
                release_unwatched();
            fill(slot, static_cast<Kind>(operation.amount % 3),
                (operation.choice & 2) != 0
                    && static_cast<Kind>(operation.amount % 3) == Kind::Stream);
            slot.net().is_inline = slot.is_stream() && (operation.choice & 12) == 12;
            if (slot.net().is_inline)
                enter(slot, slot.record.state, ntke::kSocketOobInline);
            return true;
        case Step::SetEvent:
            m_events[operation.choice % kEvents]->set();
            m_is_set[operation.choice % kEvents] = true;
            return true;
        case Step::ResetEvent:
            reset_event(operation.choice % kEvents);
            return true;
        case Step::PumpFetches:
            if (!net.is_on_ready_list)
                return false;
            net.fetch();
            return true;
        case Step::PumpTells:
            return pump_tells(slot);
        case Step::PumpTellsAgain:
            tell(slot, slot.last_told);
            return true;
        case Step::kCount:
            break;
        }
        return false;
    }

    bool select(Slot& slot, uint32_t mask, int event)
    {
        ob::Ref<ke::Event> chosen;
        if (mask)
            chosen = m_events[event];
        ob::Ref<ke::Event> replaced;
        const NTSTATUS status = slot.endpoint->select(std::move(chosen), mask, replaced);
        check(status == STATUS_SUCCESS, "select failed");
        check(replaced.get() == event_of(slot), "select replaced another event");
        slot.event = mask ? event : kNoEvent;
        slot.record.select(mask, slot.facts());
        if (mask)
            looked_at(slot);
        return true;
    }

    bool select_unwatched(Slot& slot, const Operation& operation)
    {
        if (slot.net().watcher || !operation.mask)
            return false;
        ob::Ref<ke::Event> replaced;
        fake::is_watch_to_fail = true;
        const NTSTATUS status
            = slot.endpoint->select(m_events[operation.choice % kEvents], operation.mask, replaced);
        fake::is_watch_to_fail = false;
        check(status == STATUS_INSUFFICIENT_RESOURCES && !replaced, "an unwatched select");
        return true;
    }

    /// `choice`: an event to reset, or none, or the one of the selection.
    void enumerate(Slot& slot, uint32_t choice)
    {
        if (choice < kEvents)
            reset_event(choice);
        else if (choice == kEvents && slot.event != kNoEvent)
            reset_event(static_cast<uint32_t>(slot.event));
        const uint32_t expected = slot.record.enumerate();
        afd::GetEventsResult result {};
        slot.endpoint->take_events(result);
        if (slot.record.mask)
            slot.record.unseen = 0;
        m_told = result.flags;
        m_expected = expected;
        check(result.flags == expected, "the enumeration told something else");
        for (uint32_t bit = 0; bit < std::size(result.status); ++bit) {
            const NTSTATUS status
                = 1u << bit == afd::kPollConnectFail ? slot.connect_status : STATUS_SUCCESS;
            check(!(expected & 1u << bit) || result.status[bit] == status, "a wrong status");
        }
    }

    bool receive(Slot& slot, uint32_t length, uint32_t flags, bool has_buffer)
    {
        const bool can_receive = slot.is(SocketState::Connected) || slot.is(SocketState::Datagram);
        if (!can_receive || slot.has(ntke::kSocketReceiveShutDown))
            return false;
        static uint8_t s_bytes[256];
        const afd::Buffer buffer { has_buffer ? reinterpret_cast<uintptr_t>(s_bytes) : 0, length };
        size_t received = 0;
        const NTSTATUS status = slot.endpoint->receive(&buffer, 1, flags, nullptr, &received);
        // Nothing has been received; of a datagram it is gone all the same. [WSAEventSelect/49]
        if (status == STATUS_ACCESS_VIOLATION && (slot.is_stream() || (flags & kMsgPeek)))
            return true;
        // Before urgent data is taken, what has come is told.
        if ((flags & kMsgOob) && (slot.record.due || slot.record.maybe_due))
            m_late_event = slot.event;
        slot.record.re_enable(
            flags & kMsgOob ? afd::kPollReceiveExpedited : afd::kPollReceive, slot.facts());
        m_maybe_looked_at = &slot;
        return true;
    }

    bool send(Slot& slot, uint32_t length)
    {
        const bool can_send = slot.is(SocketState::Connected) || slot.is(SocketState::Datagram);
        if (!can_send || slot.has(ntke::kSocketSendShutDown))
            return false;
        const afd::Buffer buffer { 0x10000, length };
        size_t sent = 0;
        const NTSTATUS status = slot.endpoint->send(&buffer, 1, 0, nullptr, &sent);
        if (status == STATUS_DEVICE_NOT_READY) {
            slot.record.re_enable(afd::kPollSend, slot.facts());
            m_maybe_looked_at = &slot;
        }
        return true;
    }

    bool accept(Slot& listener, const Operation& operation)
    {
        if (!listener.is(SocketState::Listening) || !listener.net().queued)
            return false;
        listener.net().accept();
        if (operation.amount & 1)
            listener.endpoint->on_ready(afd::kReadyIn); // between the host and what it tells
        if (operation.amount & 2) {
            listener.net().connection_arrives();
            listener.record.happened(afd::kPollAccept, listener.facts());
        }
        listener.record.re_enable(afd::kPollAccept, listener.facts());
        unit::set_state(*listener.endpoint, SocketState::Listening, 0, STATUS_SUCCESS, 1);
        if (listener.record.is_recording)
            looked_at(listener);
        Slot& slot = m_slots[(operation.slot + 1u + operation.choice % (kSlots - 1)) % kSlots];
        empty(slot);
        fill(slot, Kind::Stream, true, &listener);
        return true;
    }

    /// The endpoint is told another state or other flags.
    void enter(Slot& slot, SocketState state, uint32_t flags, NTSTATUS status = STATUS_SUCCESS)
    {
        slot.record.state = state;
        slot.record.flags = flags;
        slot.record.look(slot.facts());
        unit::set_state(*slot.endpoint, state, flags, status, 0);
        if (slot.record.is_recording)
            looked_at(slot);
    }

    bool connect(Slot& slot, const Operation& operation)
    {
        if (!slot.is_stream()
            || !(slot.is(SocketState::Unconnected) || slot.is(SocketState::ConnectFailed)))
            return false;
        slot.net().connect();
        if (operation.amount & 1) // over before the endpoint knows that it has begun
            slot.net().connect_ends(kConnectErrors[operation.choice % std::size(kConnectErrors)]);
        if (operation.amount & 2) {
            slot.net().fetch();
            pump_tells(slot);
        }
        slot.record.forget(afd::kPollConnect | afd::kPollConnectFail | afd::kPollSend);
        slot.record.state = SocketState::Connecting;
        slot.is_host_asked = false;
        unit::set_state(
            *slot.endpoint, SocketState::Connecting, slot.record.flags, STATUS_SUCCESS, 0);
        return true;
    }

    /// The endpoint learns how the connect has ended.
    void settle(Slot& slot)
    {
        const bool has_failed = slot.net().link == Link::Failed;
        slot.record.state = has_failed ? SocketState::ConnectFailed : SocketState::Connected;
        if (!has_failed)
            slot.record.flags |= ntke::kSocketConnected;
        slot.record.look(slot.facts());
        if (slot.record.is_recording)
            looked_at(slot);
    }

    bool host_settles(Slot& slot)
    {
        if (!slot.is_host_asked || !slot.has_outcome())
            return false;
        slot.is_host_asked = false;
        slot.connect_status
            = afd::status_from_errno(slot.net().link == Link::Failed ? slot.net().error : 0);
        slot.net().error = 0; // the host has read it
        settle(slot);
        unit::set_state(
            *slot.endpoint, slot.record.state, slot.record.flags, slot.connect_status, 0);
        return true;
    }
    static void note_question(afd::Endpoint& endpoint)
    {
        for (Slot& slot : g_world->m_slots) {
            if (slot.endpoint.get() == &endpoint)
                slot.is_host_asked = true;
        }
    }

    bool set_peer(Slot& slot)
    {
        if (slot.net().kind != Kind::Datagram)
            return false;
        const uint32_t flags = slot.record.flags | ntke::kSocketBound | ntke::kSocketHasPeer;
        if (!slot.has(ntke::kSocketHasPeer))
            slot.record.forget(afd::kPollConnect | afd::kPollSend); // [WSAEventSelect/66]
        enter(slot, slot.record.state, flags);
        return true;
    }

    bool hand_over(Slot& slot)
    {
        const afd::Endpoint::Selection selection = slot.endpoint->hand_over();
        const model::Record& record = slot.record;
        m_told = selection.pending.flags;
        m_expected = record.pending;
        check(selection.event.get() == event_of(slot), "another event was handed over");
        check(selection.mask == record.mask, "another mask was handed over");
        check(
            selection.pending.flags == record.pending, "something else was handed over as pending");
        check(selection.reported == record.reported, "something else was handed over as reported");
        slot.record.hand_over();
        slot.event = kNoEvent;
        return true;
    }

    void reset_event(uint32_t event)
    {
        m_events[event]->reset();
        m_is_set[event] = false;
    }

    bool pump_tells(Slot& slot)
    {
        if (!slot.net().fetched)
            return false;
        slot.last_told = slot.net().fetched;
        slot.net().fetched = 0;
        tell(slot, slot.last_told);
        return true;
    }
    void tell(Slot& slot, uint32_t ready)
    {
        if (slot.has_outcome() && (ready & (afd::kReadyOut | afd::kReadyError | afd::kReadyHangUp))
            && !m_is_settled_by_host) {
            if (slot.net().link == Link::Failed)
                slot.connect_status = afd::status_from_errno(slot.net().error);
            settle(slot);
        } else if (!slot.is(SocketState::Connecting)) {
            looked_at(slot);
        }
        slot.endpoint->on_ready(ready);
    }

    // --- Comparing

    void looked_at(Slot& slot)
    {
        slot.record.unseen = 0;
        slot.is_looked_at = true;
    }
    void check(bool is_right, const char* failure)
    {
        if (!is_right && !m_failure)
            m_failure = failure;
    }

    bool agree()
    {
        for (uint32_t i = 0; i < kEvents; ++i)
            compare_event(i);
        for (const Slot& slot : m_slots) {
            check(!slot.has_outcome() || !slot.record.mask || slot.net().has_notification()
                    || slot.is_host_asked,
                "nobody will tell how the connect has ended");
        }
        return !m_failure;
    }

    void compare_event(uint32_t index)
    {
        const bool was_set = std::exchange(m_is_set[index], m_events[index]->peek());
        const bool is_set = m_is_set[index];
        check(is_set || !was_set, "the event was reset");
        bool may_be_set = was_set || m_late_event == static_cast<int>(index);
        for (Slot& slot : m_slots) {
            model::Record& record = slot.record;
            if (slot.event != static_cast<int>(index))
                continue;
            may_be_set |= record.due || record.maybe_due;
            const bool is_told = slot.is_looked_at || !slot.net().has_notification();
            check(is_set || !record.due || !is_told, "the event was not set");
            if (is_told || (&slot == m_maybe_looked_at && is_set && !was_set)) {
                record.due = record.maybe_due = 0;
            } else if (&slot == m_maybe_looked_at && is_set) {
                // It may have been told while the event was set anyway.
                record.maybe_due |= std::exchange(record.due, 0);
            }
        }
        check(!is_set || may_be_set, "the event was set for nothing");
    }

public:
    uint32_t m_told = 0; // by the last enumeration
    uint32_t m_expected = 0;

private:
    static constexpr uint32_t kMsgOob = 1;
    static constexpr uint32_t kMsgPeek = 2;
    static constexpr uint32_t kSpaceOver = fake::kSpace + 2; // more than there ever is
    static constexpr int kConnectErrors[] = { 0, 0, 0, ECONNREFUSED, ETIMEDOUT };

    const bool m_is_settled_by_host;
    Slot m_slots[kSlots];
    ob::Ref<ke::Event> m_events[kEvents];
    bool m_is_set[kEvents] = {};
    const Slot* m_maybe_looked_at = nullptr;
    int m_late_event = kNoEvent; // was to be set before this step
    const char* m_failure = nullptr;
};

} // namespace

Outcome run(const Schedule& schedule)
{
    World world(schedule.is_settled_by_host);
    for (uint32_t i = 0; i < schedule.count; ++i) {
        if (!world.step(schedule.operations[i]))
            return { i + 1, world.failure(), world.m_told, world.m_expected };
    }
    if (!world.finish())
        return { schedule.count, world.failure(), world.m_told, world.m_expected };
    return {};
}

uint64_t steps_done()
{
    return g_steps;
}

} // namespace schedule
