// The handle table: values of its own, values of a host, and lookups that race with closing.
#include "ob/handle_table.h"

#include <atomic>

#include <pthread.h>

#include "ke/event.h"
#include "ke/pool.h"
#include "unit.h"

namespace {

HANDLE handle_of(uintptr_t value)
{
    return reinterpret_cast<HANDLE>(value);
}

ob::Ref<ke::Event> new_event()
{
    ob::Ref<ke::Event> event;
    ke::Event::create(kNotificationEvent, false, event);
    return event;
}

ob::Object* find(const ob::HandleTable& table, HANDLE handle)
{
    const ob::ReadSection section;
    return table.find(section, handle).object;
}

struct Fixture {
    ob::HandleTable* table;
    int64_t objects_before;
};
Fixture g;

int set_up(void**)
{
    ke::Thread::current();
    g.objects_before = unit::object_count();
    g.table = ke::pool_new<ob::HandleTable>();
    return 0;
}

int tear_down(void**)
{
    g.table->close_all();
    const bool is_empty = g.table->handle_count() == 0;
    g.table->free_pages();
    ke::pool_delete(g.table);
    return !is_empty || unit::object_count() != g.objects_before;
}

void values_begin_at_four_and_are_reused(void**)
{
    const auto event = new_event();
    HANDLE handles[3];
    for (HANDLE& handle : handles)
        assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
    assert_ptr_equal(handles[0], handle_of(4));
    assert_ptr_equal(handles[2], handle_of(12));
    assert_status(g.table->close(handles[1]), STATUS_SUCCESS);
    HANDLE again;
    assert_status(g.table->insert(*event, 0, 0, &again), STATUS_SUCCESS);
    assert_ptr_equal(again, handles[1]);
    assert_int_equal(event->handle_count(), 3);
}

void an_object_attaches_to_a_hosts_value(void**)
{
    const auto event = new_event();
    assert_status(g.table->attach(handle_of(0x1234), *event, SYNCHRONIZE, 0), STATUS_SUCCESS);
    assert_ptr_equal(find(*g.table, handle_of(0x1234)), event.get());
    assert_ptr_equal(find(*g.table, handle_of(0x1237)), event.get()); // low bits ignored
    assert_null(find(*g.table, handle_of(0x1238)));
    assert_status(g.table->detach(handle_of(0x1234)), STATUS_SUCCESS);
    assert_null(find(*g.table, handle_of(0x1234)));
    assert_status(g.table->detach(handle_of(0x1234)), STATUS_INVALID_HANDLE);
}

void attaching_displaces_a_stale_object(void**)
{
    const auto old_event = new_event();
    const auto event = new_event();
    assert_status(g.table->attach(handle_of(0x40), *old_event, 0, 0), STATUS_SUCCESS);
    assert_status(g.table->attach(handle_of(0x40), *event, 0, 0), STATUS_SUCCESS);
    assert_ptr_equal(find(*g.table, handle_of(0x40)), event.get());
    assert_int_equal(old_event->handle_count(), 0);
}

void insertion_steps_over_attached_values(void**)
{
    const auto attached = new_event();
    const auto event = new_event();
    for (uintptr_t value : { 4, 12, 16 })
        assert_status(g.table->attach(handle_of(value), *attached, 0, 0), STATUS_SUCCESS);
    HANDLE handle;
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
    assert_ptr_equal(handle, handle_of(8));
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
    assert_ptr_equal(handle, handle_of(20));

    // A value that was freed here, then used by the host, then freed by the host.
    assert_status(g.table->close(handle_of(8)), STATUS_SUCCESS);
    assert_status(g.table->attach(handle_of(8), *attached, 0, 0), STATUS_SUCCESS);
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
    assert_ptr_equal(handle, handle_of(24));
    assert_status(g.table->detach(handle_of(8)), STATUS_SUCCESS);
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
    assert_ptr_equal(handle, handle_of(8));
}

void impossible_values_are_refused(void**)
{
    const auto event = new_event();
    for (uintptr_t value :
        { uintptr_t { 0 }, uintptr_t { 3 }, uintptr_t { 1u << 26 }, ~uintptr_t { 0 } }) {
        assert_status(g.table->attach(handle_of(value), *event, 0, 0), STATUS_INVALID_HANDLE);
        assert_null(find(*g.table, handle_of(value)));
        assert_status(g.table->close(handle_of(value)), STATUS_INVALID_HANDLE);
    }
}

void detach_ignores_protection_and_close_does_not(void**)
{
    const auto event = new_event();
    assert_status(
        g.table->attach(handle_of(0x40), *event, 0, ob::kHandleProtectFromClose), STATUS_SUCCESS);
    assert_status(g.table->close(handle_of(0x40)), STATUS_HANDLE_NOT_CLOSABLE);
    assert_status(g.table->detach(handle_of(0x40)), STATUS_SUCCESS);
}

void checks_come_in_nts_order(void**)
{
    const auto event = new_event();
    HANDLE handle;
    assert_status(g.table->insert(*event, EVENT_MODIFY_STATE, 0, &handle), STATUS_SUCCESS);
    ob::Ref<ob::Object> object;
    assert_status(g.table->reference(handle_of(400), &ob::g_file_type, SYNCHRONIZE, object),
        STATUS_INVALID_HANDLE);
    assert_status(g.table->reference(handle, &ob::g_file_type, SYNCHRONIZE, object),
        STATUS_OBJECT_TYPE_MISMATCH);
    assert_status(
        g.table->reference(handle, &ob::g_event_type, SYNCHRONIZE, object), STATUS_ACCESS_DENIED);
    assert_status(
        g.table->reference(handle, &ob::g_event_type, EVENT_MODIFY_STATE, object), STATUS_SUCCESS);
}

void a_table_without_memory_refuses(void**)
{
    const auto event = new_event();
    HANDLE handle;
    ke::pool_fail_after(0);
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_NO_MEMORY);
    ke::pool_fail_after(0);
    assert_status(g.table->attach(handle_of(0x8000), *event, 0, 0), STATUS_NO_MEMORY);
    ke::pool_fail_after(-1);
    assert_int_equal(event->handle_count(), 0);
    assert_status(g.table->insert(*event, 0, 0, &handle), STATUS_SUCCESS);
}

void the_highest_value_can_be_attached(void**)
{
    const auto event = new_event();
    assert_status(g.table->attach(handle_of((1u << 26) - 4), *event, 0, 0), STATUS_SUCCESS);
    assert_ptr_equal(find(*g.table, handle_of((1u << 26) - 4)), event.get());
}

constexpr uintptr_t kRaceHandles = 8;
std::atomic<bool> g_is_over;
std::atomic<uint64_t> g_found;

/// Looks at whatever is behind the values while the main thread closes and reuses them.
void* look_around(void*)
{
    for (uint32_t i = 0; !g_is_over; ++i) {
        const HANDLE handle = handle_of(4 + i % kRaceHandles * 4);
        {
            const ob::ReadSection section;
            const auto entry = g.table->find(section, handle);
            // Rights and object belong together: the events with the even right are notification
            // events. Freed memory would show here under a sanitizer.
            if (entry.object) {
                ++g_found;
                const auto* event = static_cast<ke::Event*>(entry.object);
                const bool is_even = entry.granted % 2 == 0;
                if (is_even != (event->event_type() == kNotificationEvent))
                    abort();
            }
        }
        ob::Ref<ke::Event> event;
        if (NT_SUCCESS(g.table->reference(handle, 0, event)))
            event->set();
    }
    return nullptr;
}

void lookups_race_with_closing_and_reuse(void**)
{
    g_is_over = false;
    pthread_t threads[2];
    g_found = 0;
    for (int i = 0; i < 2; ++i)
        assert_int_equal(pthread_create(&threads[i], nullptr, look_around, nullptr), 0);

    unit::Random random(unit::setting("NTKE_SEED", 1));
    int failures = 0;
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 60'000);
    for (uint64_t round = 0; round < rounds || g_found < 1000; ++round) {
        if (random.one_in(2)) {
            const bool is_notification = random.one_in(2);
            ob::Ref<ke::Event> event;
            ke::Event::create(
                is_notification ? kNotificationEvent : kSynchronizationEvent, false, event);
            HANDLE handle;
            if (g.table->handle_count() < static_cast<int64_t>(kRaceHandles))
                failures
                    += !NT_SUCCESS(g.table->insert(*event, is_notification ? 2 : 1, 0, &handle));
        } else {
            g.table->close(handle_of(4 + random.below(kRaceHandles) * 4));
        }
    }
    g_is_over = true;
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    assert_int_equal(failures, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        CASE(values_begin_at_four_and_are_reused),
        CASE(an_object_attaches_to_a_hosts_value),
        CASE(attaching_displaces_a_stale_object),
        CASE(insertion_steps_over_attached_values),
        CASE(impossible_values_are_refused),
        CASE(detach_ignores_protection_and_close_does_not),
        CASE(checks_come_in_nts_order),
        CASE(a_table_without_memory_refuses),
        CASE(the_highest_value_can_be_attached),
        CASE(lookups_race_with_closing_and_reuse),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
