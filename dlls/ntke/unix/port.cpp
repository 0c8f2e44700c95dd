#include "unix/port.h"

#include <sched.h>

#include "ke/backoff.h"
#include "ke/pool.h"
#include "ke/thread.h"
#include "nt/publish.h"
#include "ob/handle_table.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/notifications.h"
#include "unix/object_information.h"
#include "unix/program_events.h"
#include "unix/uninterrupted.h"

namespace unix_side {

namespace {

ke::Lock g_list_lock;
Port* g_first GUARDED_BY(g_list_lock) = nullptr;
uint32_t g_last_number GUARDED_BY(g_list_lock) = 0;

constexpr ULONG kSameAccess = DUPLICATE_SAME_ACCESS;
/// IO_COMPLETION_ALL_ACCESS
constexpr ACCESS_MASK kAllAccess = STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3u;

/// A packet that only ends a wait at the host's port. Its address is of nobody else's.
const char g_call_back = 0;
ULONG_PTR call_back_mark()
{
    return reinterpret_cast<ULONG_PTR>(&g_call_back);
}
bool is_call_back(const CompletionPacket& packet)
{
    return packet.key == call_back_mark() && packet.context == call_back_mark();
}

/// Takes call-backs out of what the host has given. Returns how many packets are left.
uint32_t drop_call_backs(CompletionPacket* packets, uint32_t count)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; ++i) {
        if (!is_call_back(packets[i]))
            packets[left++] = packets[i];
    }
    return left;
}

} // namespace

ob::Ref<io::CompletionQueue> Port::find(HANDLE handle, ACCESS_MASK access)
{
    ob::Ref<io::CompletionQueue> queue;
    ob::HandleTable::current().reference(handle, access, queue);
    return queue;
}

bool Port::may_be_others(HANDLE handle)
{
    ObjectBasicInformation object {};
    return !NT_SUCCESS(host::query_object(
               handle, kObjectBasicInformation, &object, sizeof(object), nullptr))
        || unix_side::may_be_others(handle, object);
}

NTSTATUS Port::attach(HANDLE handle, ob::Ref<io::CompletionQueue>& queue)
{
    const Uninterrupted section;
    // The host does not limit how many threads run at a time, and neither do we: what a thread
    // waits for elsewhere is not all seen here, so a limit would keep others waiting for one that
    // waits itself.
    ob::Ref<io::CompletionQueue> created;
    if (const NTSTATUS status = io::CompletionQueue::create(UINT32_MAX, created);
        !NT_SUCCESS(status))
        return status;
    auto* port = ke::pool_new<Port>(*created);
    if (!port)
        return STATUS_NO_MEMORY;
    created->set_source(*port);
    const NTSTATUS status = ob::HandleTable::current().attach(handle, *created, kAllAccess, 0);
    if (NT_SUCCESS(status))
        queue = std::move(created);
    return status;
}

Port* Port::with_number(void* number)
{
    const auto wanted = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(number));
    const Uninterrupted section;
    ke::LockGuard guard(g_list_lock);
    Port* port = g_first;
    while (port && port->m_number != wanted)
        port = port->m_next;
    return port;
}

void Port::enlist()
{
    ke::LockGuard guard(g_list_lock);
    m_number = ++g_last_number;
    m_next = g_first;
    g_first = this;
}

void Port::take_off_list()
{
    const Uninterrupted section;
    ke::LockGuard guard(g_list_lock);
    Port** link = &g_first;
    while (*link && *link != this)
        link = &(*link)->m_next;
    if (*link)
        *link = m_next;
}

NTSTATUS Port::open(HANDLE handle)
{
    NTSTATUS status = host::duplicate_object(
        nt::current_process(), handle, nt::current_process(), &m_host_port, 0, 0, kSameAccess);
    if (!NT_SUCCESS(status))
        return status;
    status = host::create_event(
        &m_packet_event, EVENT_ALL_ACCESS, nullptr, kSynchronizationEvent, FALSE);
    if (NT_SUCCESS(status)) {
        m_queue.reference(); // the relay's
        enlist();
        status = host_threads::start_relay(reinterpret_cast<void*>(uintptr_t { m_number }));
        if (NT_SUCCESS(status))
            return status;
        take_off_list();
        m_queue.dereference();
        host::close(m_packet_event);
        m_packet_event = nullptr;
    }
    host::close(m_host_port);
    m_host_port = nullptr;
    return status;
}

void Port::await_beginning() const
{
    for (ke::Backoff backoff; is_beginning();)
        backoff.pause();
}

NTSTATUS Port::begin_serving(HANDLE handle)
{
    State state = State::Host;
    if (!m_state.compare_exchange_strong(state, State::Beginning)) {
        await_beginning();
        return is_serving() ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (const NTSTATUS status = open(handle); !NT_SUCCESS(status)) {
        m_state = State::Host;
        return status;
    }
    m_state.store(State::BringingIn, std::memory_order_seq_cst);
    for (ke::Backoff backoff; m_posts_outside.load(std::memory_order_seq_cst);)
        backoff.pause();
    await_waiters_outside();
    bring_in_what_is_there();
    m_state.store(State::Serving, std::memory_order_seq_cst);
    call_back_waiters(); // the suspended ones
    return STATUS_SUCCESS;
}

/// One that still waits at the host's port could be given a packet whose predecessor is in the
/// queue. It is called back at once; a thread that was suspended is not waited for.
void Port::await_waiters_outside()
{
    constexpr int64_t kPatience = 2'000'000; // 200 ms
    call_back_waiters();
    ke::await([this] { return !m_waiters_outside.load(std::memory_order_seq_cst); }, kPatience);
}

/// Removing from an empty port waits, if for no time at all. Wine's server lets no thread that is
/// being suspended wait, and such a thread cannot be suspended here, so neither would go on.
bool Port::has_packets_on_host() const
{
    constexpr ULONG kBasicInformation = 0;
    LONG depth = 0;
    return NT_SUCCESS(host::query_io_completion(
               m_host_port, kBasicInformation, &depth, sizeof(depth), nullptr))
        && depth > 0;
}

/// What was posted before comes first.
void Port::bring_in_what_is_there()
{
    CompletionPacket packet;
    const LARGE_INTEGER no_wait {};
    ULONG given = 0;
    while (has_packets_on_host()
        && host::remove_io_completion_ex(m_host_port, &packet, 1, &given, &no_wait, FALSE)
            == STATUS_SUCCESS
        && given) {
        if (!is_call_back(packet))
            m_queue.post(packet);
    }
}

void Port::call_back_waiters()
{
    for (uint32_t i = m_waiters_outside.load(std::memory_order_seq_cst); i; --i)
        host::set_io_completion(m_host_port, call_back_mark(), call_back_mark(), STATUS_SUCCESS, 0);
}

void Port::give_back()
{
    ke::Backoff backoff;
    for (State state = m_state; state != State::Returned; state = m_state) {
        if (state == State::Host && m_state.compare_exchange_strong(state, State::Returned))
            return;
        if (state == State::Serving && m_state.compare_exchange_strong(state, State::Returning))
            break;
        backoff.pause(); // another thread is at it
    }
    if (m_state != State::Returning || m_is_returning.exchange(true)) {
        while (m_state == State::Returning)
            backoff.pause();
        return;
    }
    end_relay();
    {
        const Uninterrupted section;
        bring_in_what_is_there(); // what was told by one file stays in order
        m_queue.give_away();
        m_state.store(State::Returned, std::memory_order_seq_cst);
        afd::Absence::instance().expect(*this);
    }
    host::set_event(m_packet_event, nullptr);
    if (ke::Event* event = m_wait_event.load(std::memory_order_acquire))
        event->set(); // who waits for the port waits for the host's from here on
}

void Port::end_relay()
{
    constexpr unsigned kPausesBetween = 64;
    ke::Backoff backoff;
    for (unsigned pauses = 0; !m_is_relay_over; ++pauses) {
        // A thread that is still at the host's port may take it instead.
        if (pauses % kPausesBetween == 0)
            host::set_io_completion(
                m_host_port, call_back_mark(), call_back_mark(), STATUS_SUCCESS, 0);
        backoff.pause();
    }
}

void Port::take_packet(const CompletionPacket& packet)
{
    host::set_io_completion(
        m_host_port, packet.key, packet.context, packet.iosb.Status, packet.iosb.Information);
}

Port::Posts Port::posts() const
{
    switch (m_state.load(std::memory_order_seq_cst)) {
    case State::BringingIn:
        return Posts::Undecided;
    case State::Serving:
    case State::Returning:
        return Posts::ToQueue;
    default:
        return Posts::ToHost;
    }
}

NTSTATUS Port::post(HANDLE handle, const CompletionPacket& packet)
{
    const Uninterrupted section; // begin_serving waits for posts outside
    ke::Backoff backoff;
    while (posts() != Posts::ToQueue) {
        m_posts_outside.fetch_add(1, std::memory_order_seq_cst);
        const Posts where = posts();
        NTSTATUS status = STATUS_SUCCESS;
        if (where == Posts::ToHost)
            status = host::set_io_completion(
                handle, packet.key, packet.context, packet.iosb.Status, packet.iosb.Information);
        m_posts_outside.fetch_sub(1, std::memory_order_seq_cst);
        if (where == Posts::ToHost) {
            serve_if_it_pays(handle);
            return status;
        }
        backoff.pause();
    }
    return m_queue.post(packet);
}

/// Serving a port takes a thread of the process, which a few packets are not worth.
void Port::serve_if_it_pays(HANDLE handle)
{
    constexpr uint32_t kPostsThatPay = 32;
    if (m_posted_to_host.fetch_add(1, std::memory_order_relaxed) + 1 != kPostsThatPay
        || m_has_host_files.load(std::memory_order_relaxed))
        return;
    static_cast<void>(begin_serving(handle)); // or it stays the host's
}

NTSTATUS Port::remove(HANDLE handle, CompletionPacket* packets, uint32_t count, uint32_t* removed,
    bool is_alertable, const ke::DueTime& due)
{
    for (;;) {
        if (ntke::NotificationPort* port = m_notifications.load(std::memory_order_acquire))
            notifications::wake(*port);
        const NTSTATUS status = remove_packets(handle, packets, count, removed, is_alertable, due);
        if (status != STATUS_SUCCESS || !m_notifications.load(std::memory_order_relaxed))
            return status;
        *removed = notifications::translate(packets, *removed);
        if (*removed)
            return status;
    }
}

NTSTATUS Port::remove_packets(HANDLE handle, CompletionPacket* packets, uint32_t count,
    uint32_t* removed, bool is_alertable, const ke::DueTime& due)
{
    for (;;) {
        const NTSTATUS status = is_serving()
            ? remove_here(packets, count, removed, is_alertable, due)
            : remove_outside(handle, packets, count, removed, is_alertable, due);
        if (status != STATUS_REPARSE)
            return status;
    }
}

/// STATUS_REPARSE: the port was returned to the host.
NTSTATUS Port::remove_here(CompletionPacket* packets, uint32_t count, uint32_t* removed,
    bool is_alertable, const ke::DueTime& due)
{
    if (is_alertable)
        return remove_alertably(packets, count, removed, due);
    const Uninterrupted section;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    host_threads::note_waits(*thread);
    const NTSTATUS status
        = m_queue.remove(*thread, packets, count, removed, ke::Alertable::No, due);
    if (due.has_passed())
        note_look();
    on_packet_left(); // what it served may be more than it has taken
    return status;
}

/// A thread has looked for packets without waiting. Where that is done so often that nobody can
/// tell, it is as good as a wait.
void Port::note_look()
{
    constexpr int64_t kOften = 200'000; // 20 ms
    const int64_t now = ke::interrupt_time();
    if (now - m_last_look.exchange(now, std::memory_order_relaxed) > kOften)
        return;
    afd::Absence::instance().attend(*this);
    leave_source();
}

NTSTATUS Port::remove_alertably(
    CompletionPacket* packets, uint32_t count, uint32_t* removed, const ke::DueTime& due)
{
    for (;;) {
        {
            const Uninterrupted section;
            m_queue.serve_source();
            *removed = m_queue.try_remove(packets, count);
        }
        if (*removed) {
            on_packet_left(); // there may be more, for others that wait alertably
            return STATUS_SUCCESS;
        }
        if (m_is_closed || !is_serving()) {
            host::set_event(m_packet_event, nullptr); // for the next
            return is_serving() ? STATUS_ABANDONED : STATUS_REPARSE;
        }
        const NTSTATUS status = wait_alertably(due);
        if (status != STATUS_WAIT_0)
            return status;
    }
}

/// STATUS_REPARSE: it was called back.
NTSTATUS Port::remove_outside(HANDLE handle, CompletionPacket* packets, uint32_t count,
    uint32_t* removed, bool is_alertable, const ke::DueTime& due)
{
    *removed = 0;
    m_waiters_outside.fetch_add(1, std::memory_order_seq_cst);
    NTSTATUS status = STATUS_REPARSE;
    ULONG given = 0;
    const State state = m_state.load(std::memory_order_seq_cst);
    if (state != State::Serving && state != State::BringingIn) {
        LARGE_INTEGER timeout;
        status = host::remove_io_completion_ex(
            handle, packets, count, &given, due.to_timeout(timeout), is_alertable);
        if (status == STATUS_SUCCESS) {
            *removed = drop_call_backs(packets, given);
            if (!*removed)
                status = STATUS_REPARSE;
        }
    }
    m_waiters_outside.fetch_sub(1, std::memory_order_seq_cst);
    if (given > *removed + 1)
        call_back_waiters(); // it has taken those of others, too
    if (state == State::BringingIn)
        await_beginning();
    return status;
}

/// STATUS_WAIT_0: there may be a packet.
NTSTATUS Port::wait_alertably(const ke::DueTime& due)
{
    m_alertable_waiters.fetch_add(1, std::memory_order_seq_cst);
    {
        const Uninterrupted section;
        afd::Absence::instance().arm_unless_attended(*this);
    }
    LARGE_INTEGER timeout;
    NTSTATUS status = STATUS_WAIT_0;
    if (!m_queue.depth() && !m_is_closed && is_serving())
        status = host::wait_for_single_object(m_packet_event, TRUE, due.to_timeout(timeout));
    m_alertable_waiters.fetch_sub(1, std::memory_order_seq_cst);
    return status;
}

bool Port::is_over() const
{
    return m_is_closed && !m_pump.watch_count();
}

void Port::on_let_go()
{
    if (is_over())
        m_pump.retire();
}

/// It did not say that it left.
void Port::on_poller_stopped()
{
    afd::Absence::instance().leave(*this);
}

void Port::on_poller_withdrawn()
{
    afd::Absence::instance().leave_for_long(*this);
}

/// Whoever changes the number of packets tells it afterwards, and looks again.
void Port::tell_depth()
{
    ke::Event* event = m_wait_event.load(std::memory_order_acquire);
    if (!event) [[likely]]
        return;
    bool is_signaled;
    do {
        is_signaled = m_queue.depth() != 0;
        if (is_signaled)
            event->set();
        else
            event->reset();
    } while (is_signaled != (m_queue.depth() != 0));
}

ob::Ref<ke::Event> Port::event_for_host_waits()
{
    if (!is_serving())
        return {};
    if (!m_wait_event.load(std::memory_order_acquire)) {
        ob::Ref<ke::Event> made;
        if (!NT_SUCCESS(program_events::make(false, made)))
            return {};
        ke::Event* none = nullptr;
        if (m_wait_event.compare_exchange_strong(none, made.get(), std::memory_order_acq_rel))
            static_cast<void>(made.release());
    }
    afd::Absence::instance().arm_unless_attended(*this);
    tell_depth();
    return ob::Ref<ke::Event>::share(m_wait_event.load(std::memory_order_acquire));
}

void Port::on_packet_left()
{
    tell_depth();
    if (m_alertable_waiters.load(std::memory_order_seq_cst) && m_queue.depth())
        host::set_event(m_packet_event, nullptr);
}

void Port::on_guest_ready()
{
    m_queue.serve_source();
}

void Port::wait_and_serve(io::CompletionQueue& queue, const ke::DueTime& due)
{
    afd::Absence& absence = afd::Absence::instance();
    const bool may_sleep = !due.has_passed();
    afd::Pump::Round round;
    if (may_sleep)
        absence.attend(*this);
    const NTSTATUS status = m_pump.look(round);
    if (NT_SUCCESS(status) && may_sleep && round.is_empty()) {
        m_pump.sleep(due);
        if (!queue.is_polled_by_current())
            return; // it was suspended, and another thread is here, or looks after it
        m_pump.look(round);
    }
    if (may_sleep)
        leave_source();
    if (!NT_SUCCESS(status)) {
        sched_yield(); // no descriptor is left
        return;
    }
    const io::CompletionQueue::Serving serving(queue);
    m_pump.tell(round);
}

/// Whoever waits alertably, or for the port itself, waits elsewhere, and needs what is told now.
void Port::leave_source()
{
    afd::Absence& absence = afd::Absence::instance();
    absence.leave(*this);
    if (m_alertable_waiters.load(std::memory_order_seq_cst)
        || m_wait_event.load(std::memory_order_seq_cst)) [[unlikely]]
        absence.arm_unless_attended(*this);
}

void Port::relay()
{
    await_beginning();
    // One at a time: the host asks its server once for each, and once more to see that there are no
    // more.
    CompletionPacket packet;
    ULONG given = 0;
    while (!m_is_closed && !m_is_returning
        && host::remove_io_completion_ex(m_host_port, &packet, 1, &given, nullptr, FALSE)
            == STATUS_SUCCESS) {
        if (!is_call_back(packet)) {
            const Uninterrupted section;
            m_queue.post(packet);
        } else if (m_waiters_outside.load(std::memory_order_seq_cst)) {
            call_back_waiters(); // it was another thread's
        }
    }
    host_threads::note_helper_is_done();
    m_is_relay_over = true;
    m_queue.dereference();
}

void Port::on_closed()
{
    m_is_closed = true;
    // The device is associated with the port, and would keep it.
    if (ntke::NotificationPort* port = m_notifications.load(std::memory_order_acquire))
        notifications::end(*port);
    const State state = m_state;
    if (state == State::Host || is_beginning())
        return;
    afd::Absence::instance().expect_end(*this); // requests end, although nobody is told
    if (state == State::Returned)
        return;
    host::set_event(m_packet_event, nullptr);
    host::set_io_completion(m_host_port, call_back_mark(), call_back_mark(), STATUS_SUCCESS, 0);
}

void Port::on_dropped()
{
    take_off_list();
    m_pump.close();
    for (const HANDLE handle : { m_host_port, m_packet_event }) {
        if (handle)
            host::close(handle);
    }
    if (ke::Event* event = m_wait_event.load(std::memory_order_relaxed))
        event->dereference();
}

void Port::destroy()
{
    ke::pool_delete(this);
}

} // namespace unix_side
