// The dispatcher's locks: which objects a signal locks, and what the fast paths respect.
#include "ke/dispatcher.h"

#include "ke/event.h"
#include "ke/pool.h"
#include "ke/signal.h"
#include "unit.h"

namespace {

/// Two objects in one block of memory, so that their address order is known, and a thread that
/// waits for both without running.
struct Fixture {
    ke::DispatcherObject objects[2] { { ke::DispatcherObject::Kind::Synchronization, false },
        { ke::DispatcherObject::Kind::Synchronization, false } };
    ke::DispatcherObject stranger { ke::DispatcherObject::Kind::Notification, false };
    ke::Thread* thread = nullptr;
};

Fixture* g;

void link(uint32_t index, WaitType type)
{
    ke::WaitBlock& block = g->thread->wait_block(index);
    block.thread = g->thread;
    block.key = index;
    block.type = type;
    g->objects[index].lock();
    g->objects[index].link(block);
    g->objects[index].unlock();
}

void unlink(uint32_t index)
{
    ke::WaitBlock& block = g->thread->wait_block(index);
    g->objects[index].lock();
    if (block.is_linked)
        g->objects[index].unlink(block);
    g->objects[index].unlock();
}

void begin_wait_for_both(WaitType type)
{
    g->thread->begin_wait();
    g->thread->set_wait_all_count(2);
    link(0, type);
    link(1, type);
}

int set_up(void**)
{
    g = new Fixture;
    g->thread = ke::pool_new<ke::Thread>();
    return 0;
}

int tear_down(void**)
{
    unlink(0);
    unlink(1);
    g->thread->dereference();
    delete g;
    return 0;
}

bool is_locked(ke::DispatcherObject& object)
{
    if (!object.try_lock())
        return true;
    object.unlock();
    return false;
}

void a_signal_locks_all_objects_of_a_wait_all(void**)
{
    begin_wait_for_both(kWaitAll);
    for (uint32_t signaled : { 0, 1 }) { // going up in address order, and down
        {
            ke::SignalGuard guard(g->objects[signaled]);
            assert_true(is_locked(g->objects[0]));
            assert_true(is_locked(g->objects[1]));
            assert_false(is_locked(g->stranger));
        }
        assert_false(is_locked(g->objects[0]));
        assert_false(is_locked(g->objects[1]));
    }
}

void a_signal_locks_nothing_else_for_a_wait_any(void**)
{
    begin_wait_for_both(kWaitAny);
    ke::SignalGuard guard(g->objects[0]);
    assert_true(is_locked(g->objects[0]));
    assert_false(is_locked(g->objects[1]));
}

void a_locked_object_gives_nothing_on_the_fast_path(void**)
{
    g->objects[0].set();
    g->objects[0].lock();
    assert_false(g->objects[0].try_satisfy());
    g->objects[0].unlock();
    assert_true(g->objects[0].try_satisfy());
    assert_false(g->objects[0].try_satisfy());
}

void a_set_ends_a_wait_all_once_both_are_signaled(void**)
{
    begin_wait_for_both(kWaitAll);
    g->objects[1].set();
    assert_true(g->objects[1].peek());
    assert_true(g->thread->wait_block(0).is_linked);
    g->objects[0].set();
    assert_false(g->objects[0].peek());
    assert_false(g->objects[1].peek());
    assert_false(g->thread->wait_block(0).is_linked);
    assert_false(g->thread->wait_block(1).is_linked);
    assert_status(g->thread->sleep(ke::DueTime::never()), STATUS_WAIT_0); // has ended: no sleep
}

void a_wait_that_has_ended_takes_no_signal(void**)
{
    begin_wait_for_both(kWaitAny);
    ke::Sleeper sleeper;
    assert_true(g->thread->try_end_wait(STATUS_TIMEOUT, sleeper));
    assert_false(static_cast<bool>(sleeper)); // it was not asleep
    g->objects[0].set();
    assert_true(g->objects[0].peek());
    assert_status(g->thread->sleep(ke::DueTime::never()), STATUS_TIMEOUT);
}

void a_thread_that_is_stopped_in_a_wait_leaves_nothing_behind(void**)
{
    ke::Thread* const fixtures = g->thread;
    for (const WaitType type : { kWaitAny, kWaitAll }) {
        g->thread = ke::Thread::current();
        begin_wait_for_both(type);
        g->thread->set_linked_blocks(2);
        g->thread->reference();
        const auto thread = ob::Ref<ke::Thread>::adopt(g->thread);
        ke::Thread::detach(); // what the end of a thread does
        g->thread = fixtures;
        assert_false(thread->wait_block(0).is_linked);
        assert_false(thread->wait_block(1).is_linked);
        g->objects[0].set();
        g->objects[1].set();
        assert_true(g->objects[0].try_satisfy()); // nobody has taken it
        assert_true(g->objects[1].try_satisfy());
    }
}

/// What the owner of a host's events is told.
class RecordingHost final : public ke::HostSignal {
public:
    void set_host_event(HANDLE event) override
    {
        ++sets;
        last = event;
    }
    void reset_host_event(HANDLE event) override
    {
        ++resets;
        last = event;
    }
    void release_host_event(HANDLE event) override
    {
        ++releases;
        last = event;
    }
    int sets = 0;
    int resets = 0;
    int releases = 0;
    HANDLE last = nullptr;
};

void an_event_of_the_hosts_passes_decisions_on(void**)
{
    RecordingHost host;
    const auto host_handle = reinterpret_cast<HANDLE>(uintptr_t { 0x88 });
    ob::Ref<ke::Event> event;
    assert_status(
        ke::Event::create_on_host(host, host_handle, kNotificationEvent, event), STATUS_SUCCESS);
    assert_true(event->is_on_host()); // waiting is the host's business
    event->set();
    assert_int_equal(host.sets, 1);
    assert_ptr_equal(host.last, host_handle);
    event->reset();
    assert_int_equal(host.resets, 1);
    event->pulse();
    assert_int_equal(host.sets, 2);
    assert_int_equal(host.resets, 2);
    event.reset();
    assert_int_equal(host.releases, 1);
}

void a_moved_event_passes_on_its_state_and_all_that_follows(void**)
{
    RecordingHost host;
    const auto host_handle = reinterpret_cast<HANDLE>(uintptr_t { 0x88 });
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kNotificationEvent, false, event), STATUS_SUCCESS);
    event->set();
    assert_true(event->move_to_host(host, host_handle));
    assert_true(event->is_on_host());
    assert_int_equal(host.sets, 1); // its state
    event->reset();
    assert_int_equal(host.resets, 1);
    event->set();
    assert_int_equal(host.sets, 2);
    assert_false(event->move_to_host(host, reinterpret_cast<HANDLE>(uintptr_t { 0x8C })));
    assert_ptr_equal(event->host_event(), host_handle); // once and for good
}

void a_state_that_the_host_has_is_not_passed_on(void**)
{
    RecordingHost host;
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kNotificationEvent, true, event), STATUS_SUCCESS);
    assert_true(event->move_to_host(host, reinterpret_cast<HANDLE>(uintptr_t { 0x88 })));
    assert_int_equal(host.sets + host.resets, 0);
}

void an_unsettled_event_is_changed_when_it_is_settled(void**)
{
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create_unsettled(kSynchronizationEvent, event), STATUS_SUCCESS);
    assert_false(event->state().try_satisfy());
    event->settle_here(true);
    assert_true(event->state().try_satisfy());
    assert_false(event->state().try_satisfy());
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        CASE(a_signal_locks_all_objects_of_a_wait_all),
        CASE(a_signal_locks_nothing_else_for_a_wait_any),
        CASE(a_locked_object_gives_nothing_on_the_fast_path),
        CASE(a_set_ends_a_wait_all_once_both_are_signaled),
        CASE(a_wait_that_has_ended_takes_no_signal),
        CASE(a_thread_that_is_stopped_in_a_wait_leaves_nothing_behind),
        CASE(an_event_of_the_hosts_passes_decisions_on),
        CASE(a_moved_event_passes_on_its_state_and_all_that_follows),
        CASE(a_state_that_the_host_has_is_not_passed_on),
        CASE(an_unsettled_event_is_changed_when_it_is_settled),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
