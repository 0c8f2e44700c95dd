#include "ke/thread.h"

#include <pthread.h>

#include "io/completion_queue.h"
#include "io/irp.h"
#include "ke/futex.h"
#include "ke/pool.h"
#include "ke/stoppable.h"
#include "ke/wait.h"

namespace ke {

constinit thread_local Thread* Thread::t_current = nullptr;
void (*Thread::on_stopped)(Thread& thread) = nullptr;
void (*g_wake_on_host)(HANDLE event) = nullptr;

namespace {

pthread_once_t g_exit_key_once = PTHREAD_ONCE_INIT;
pthread_key_t g_exit_key;

bool sleep_at_word(std::atomic<uint32_t>& word, uint32_t expected, const DueTime& due)
{
    const Stoppable section(WhenSuspended::Withdraws);
    return futex_wait(word, expected, due);
}

void on_thread_exit(void*)
{
    if (!Thread::on_stopped)
        Thread::detach();
    else if (Thread* thread = Thread::take_current())
        Thread::on_stopped(*thread);
}

} // namespace

Thread::Thread()
    : Object(object_type(), &m_exit)
{
}

Thread* Thread::attach()
{
    Thread* thread = pool_new<Thread>();
    if (!thread)
        return nullptr;
    pthread_once(&g_exit_key_once, [] { pthread_key_create(&g_exit_key, on_thread_exit); });
    pthread_setspecific(g_exit_key, thread);
    t_current = thread; // holds the first reference
    return thread;
}

void Thread::detach()
{
    Thread* thread = t_current;
    if (!thread)
        return;
    thread->run_down(); // still the current thread: completions on the way may ask
    t_current = nullptr;
    pthread_setspecific(g_exit_key, nullptr);
    thread->dereference();
}

Thread* Thread::take_current()
{
    Thread* thread = std::exchange(t_current, nullptr);
    if (thread)
        pthread_setspecific(g_exit_key, nullptr);
    return thread;
}

/// The objects are there: nobody has dropped the references the wait had.
void Thread::abandon_wait()
{
    Sleeper sleeper;
    try_end_wait(STATUS_THREAD_IS_TERMINATING, sleeper);
    for (uint32_t i = 0; i < m_linked_blocks; ++i) {
        if (m_wait_blocks[i].object)
            unlink_wait_block(m_wait_blocks[i], *m_wait_blocks[i].object);
    }
    m_linked_blocks = 0;
}

void Thread::withdraw_current()
{
    Nap::end_current();
    if (!t_current)
        return;
    if (t_current->m_queue_waiter.queue) {
        io::CompletionQueue::withdraw(*t_current);
        return;
    }
    Sleeper ourselves;
    // Awake, here: the word has changed, or the nap is over.
    if (t_current->try_end_wait(kWithdrawn, ourselves) && ourselves.is_on_host())
        ourselves.wake();
    if (EventSource* source = t_current->m_event_source.load(std::memory_order_relaxed))
        source->look_away();
}

void Thread::run_down()
{
    abandon_wait();
    io::CompletionQueue::abandon_wait(*this);
    io::cancel_all_of_exiting_thread(*this);
    io::CompletionQueue::leave(*this);
    if (EventSource* source = m_event_source.exchange(nullptr, std::memory_order_relaxed))
        source->disown();
    {
        LockGuard guard(m_apc_lock);
        m_has_exited = true; // from here on nothing is queued
    }
    while (Apc* apc = take_apc()) {
        if (apc->release)
            apc->release(*apc);
    }
    m_exit.set();
}

bool Thread::queue_apc(Apc& apc)
{
    Sleeper sleeper;
    {
        LockGuard guard(m_apc_lock);
        if (m_has_exited)
            return false;
        apc.next = nullptr;
        (m_last_apc ? m_last_apc->next : m_first_apc) = &apc;
        m_last_apc = &apc;
        try_interrupt(STATUS_USER_APC, sleeper);
    }
    sleeper.wake();
    return true;
}

Apc* Thread::take_apc()
{
    LockGuard guard(m_apc_lock);
    Apc* apc = m_first_apc;
    if (apc) {
        m_first_apc = apc->next;
        if (!m_first_apc)
            m_last_apc = nullptr;
    }
    return apc;
}

bool Thread::deliver_apcs()
{
    bool was_any = false;
    while (Apc* apc = take_apc()) {
        const Apc call = *apc;
        if (apc->release)
            apc->release(*apc);
        call.routine(call.arguments[0], call.arguments[1], call.arguments[2]);
        was_any = true;
    }
    return was_any;
}

NTSTATUS Thread::alert()
{
    Sleeper sleeper;
    {
        LockGuard guard(m_apc_lock);
        if (m_has_exited)
            return STATUS_THREAD_IS_TERMINATING;
        if (!try_interrupt(STATUS_ALERTED, sleeper))
            m_is_alerted = true; // for the next alertable wait
    }
    sleeper.wake();
    return STATUS_SUCCESS;
}

bool Thread::test_alert()
{
    LockGuard guard(m_apc_lock);
    return std::exchange(m_is_alerted, false);
}

void Thread::begin_wait()
{
    m_sleeps_at_source = false;
    m_keeps_place.store(false, std::memory_order_relaxed);
    m_wait_word.store(kRunning, std::memory_order_relaxed);
}

void Thread::arm_alerts()
{
    uint32_t word = m_wait_word.load(std::memory_order_relaxed);
    do {
        if (!(word & kRunning))
            return; // has ended already
    } while (!m_wait_word.compare_exchange_weak(word, word | kAlertable));

    // Whoever queues from now on sees kAlertable; what was queued before, we see here.
    LockGuard guard(m_apc_lock);
    Sleeper sleeper; // ourselves: awake
    if (m_is_alerted) {
        if (try_interrupt(STATUS_ALERTED, sleeper))
            m_is_alerted = false;
    } else if (m_first_apc) {
        try_interrupt(STATUS_USER_APC, sleeper);
    }
}

bool Thread::try_end_wait(NTSTATUS result, Sleeper& sleeper)
{
    return end_wait_that_has(kRunning, result, sleeper);
}

bool Thread::try_interrupt(NTSTATUS result, Sleeper& sleeper)
{
    return end_wait_that_has(kRunning | kAlertable, result, sleeper);
}

bool Thread::end_wait_that_has(uint32_t bits, NTSTATUS result, Sleeper& sleeper)
{
    uint32_t word = m_wait_word.load(std::memory_order_acquire);
    const HANDLE on_host = m_host_sleeper; // afterwards the thread may be running again, or gone
    EventSource* source;
    do {
        if ((word & bits) != bits)
            return false;
        source = m_event_source.load(std::memory_order_relaxed); // it has one where it sleeps there
    } while (!m_wait_word.compare_exchange_weak(word, kEnded | static_cast<uint32_t>(result),
        std::memory_order_acq_rel, std::memory_order_acquire));
    if (word & kAsleepOnHost)
        sleeper = Sleeper::on_host(on_host);
    else if (word & kAsleepAtSource)
        sleeper = Sleeper::at_source(*source);
    else
        sleeper = word & kAsleep ? Sleeper::at_word(m_wait_word) : Sleeper();
    return true;
}

Thread::Asleep::Asleep(Thread& thread, const DueTime& due)
    : m_thread(thread)
    , m_queue(due.is_now() || thread.has_wait_ended() ? nullptr : thread.m_completion_queue)
{
    if (!m_queue)
        return;
    m_thread.m_is_off_queue = true;
    m_queue->on_thread_blocked();
}

Thread::Asleep::~Asleep()
{
    if (!m_queue)
        return;
    m_queue->on_thread_resumed();
    m_thread.m_is_off_queue = false;
}

NTSTATUS Thread::sleep(const DueTime& due)
{
    const Asleep asleep(*this, due);
    if (m_sleeps_at_source && !due.is_now())
        return sleep_at_source(due);
    if (!due.is_now() && !has_wait_ended())
        leave_source_to_others();
    return sleep_until_ended(due);
}

void Thread::choose_source(DispatcherObject* const* objects, uint32_t count)
{
    EventSource* source = nullptr;
    for (uint32_t i = 0; i < count; ++i) {
        const OwnEventSource own = objects[i] ? objects[i]->own_source() : nullptr;
        if (!own)
            continue;
        if (!source)
            source = event_source(own);
        EventSource* const before = objects[i]->source();
        const bool is_shared = before && before != source;
        if (is_shared)
            before->share();
        if (!source)
            continue;
        if (is_shared)
            source->share(); // the other thread may be waiting still
        objects[i]->set_source(*source);
        // Who has come before us, and waits elsewhere, found no source to share.
        if (!before && objects[i]->has_waiters_besides(*this))
            source->share();
    }
    m_sleeps_at_source = source;
}

void Thread::share_sources(DispatcherObject* const* objects, uint32_t count) const
{
    for (uint32_t i = 0; i < count; ++i) {
        EventSource* const source = objects[i] ? objects[i]->source() : nullptr;
        if (source && source != m_event_source.load(std::memory_order_relaxed))
            source->share();
    }
}

EventSource* Thread::event_source(OwnEventSource own)
{
    EventSource* source = m_event_source.load(std::memory_order_relaxed);
    if (!source) {
        source = own();
        m_event_source.store(source, std::memory_order_relaxed);
    }
    return source;
}

/// Tells whoever ends the wait where a wake-up is needed from here on, and where not any more.
/// False: it has ended.
bool Thread::change_sleep(uint32_t end, uint32_t begin)
{
    uint32_t word = m_wait_word.load(std::memory_order_acquire);
    while (word & kRunning) {
        if (m_wait_word.compare_exchange_weak(word, (word & ~end) | begin))
            return true;
    }
    return false;
}

NTSTATUS Thread::sleep_at_source(const DueTime& due)
{
    EventSource& source = *m_event_source.load(std::memory_order_relaxed);
    source.attend();
    source.serve(); // where there is much to do, something has come since the last look
    while (change_sleep(0, kAsleepAtSource)) {
        source.sleep(due);
        if (!change_sleep(kAsleepAtSource, 0))
            break;
        source.serve();
        Sleeper nobody;
        if (due.has_passed())
            try_end_wait(STATUS_TIMEOUT, nobody);
    }
    source.leave();
    return wait_result();
}

NTSTATUS Thread::sleep_on_host(HostSleep& host, const DueTime& due)
{
    const Asleep asleep(*this, due);
    if (!due.is_now() && !has_wait_ended())
        leave_source_to_others();
    if (change_sleep(0, kAsleepOnHost)) {
        NTSTATUS result;
        do {
            result = host.wait(m_host_sleeper, due);
        } while (result == HostSleep::kWoken && !has_wait_ended());
        Sleeper nobody;
        if (result != HostSleep::kWoken) {
            try_end_wait(kEndedOnHost, nobody);
            return result;
        }
    }
    return wait_result();
}

NTSTATUS Thread::sleep_until_ended(const DueTime& due)
{
    for (;;) {
        uint32_t word = m_wait_word.load(std::memory_order_acquire);
        if (word & kEnded)
            return wait_result();
        if (!(word & kAsleep) && !due.is_now()) {
            // Tells whoever ends the wait that a wake-up is needed.
            m_wait_word.compare_exchange_weak(word, word | kAsleep);
            continue;
        }
        if (due.is_now() || !sleep_at_word(m_wait_word, word, due)) {
            Sleeper sleeper;
            try_end_wait(STATUS_TIMEOUT, sleeper); // the next round reads who won
        }
    }
}

} // namespace ke
