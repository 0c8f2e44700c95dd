// Completion queues of registered I/O: nothing is lost, nothing comes twice, order is kept, and
// whoever asks to be notified is, once.
#include "ntke/registered.h"

#include <atomic>
#include <vector>

#include <pthread.h>
#include <sched.h>

#include "unit.h"

namespace {

using ntke::Arming;
using ntke::RegisteredQueue;
using ntke::RegisteredRequest;

constexpr unsigned kPushers = 4;
constexpr unsigned kEach = 20'000;

RegisteredRequest new_request(RegisteredQueue& queue, uint64_t number, bool is_quiet = false)
{
    RegisteredRequest request {};
    request.queue = reinterpret_cast<uintptr_t>(&queue);
    request.data = number;
    request.flags = is_quiet ? uint32_t { ntke::kRegisteredQuiet } : 0;
    return request;
}

/// Ends a request; whether somebody is to be notified.
bool end(RegisteredRequest& request)
{
    bool is_kept = false;
    const bool notifies
        = ntke::complete_registered(request, 0, 7, [&](RegisteredQueue&) { is_kept = true; });
    assert_true(is_kept || !notifies);
    return notifies;
}

void what_is_taken_is_in_order(void**)
{
    RegisteredQueue queue {};
    assert_null(ntke::take_completions(queue));
    RegisteredRequest requests[3];
    for (uint64_t i = 0; i < 3; ++i) {
        requests[i] = new_request(queue, i);
        assert_false(end(requests[i]));
    }
    const RegisteredRequest* taken = ntke::take_completions(queue);
    for (uint64_t i = 0; i < 3; ++i) {
        assert_ptr_equal(taken, &requests[i]);
        assert_int_equal(taken->information, 7);
        taken = ntke::registered_request_from(taken->next);
    }
    assert_null(taken);
    assert_null(ntke::take_completions(queue));
}

void it_notifies_once_for_each_time_it_is_armed(void**)
{
    RegisteredQueue queue {};
    RegisteredRequest requests[4];
    for (uint64_t i = 0; i < 4; ++i)
        requests[i] = new_request(queue, i, i == 0);
    assert_int_equal(ntke::arm(queue), Arming::Armed);
    assert_int_equal(ntke::arm(queue), Arming::Already);
    assert_false(end(requests[0])); // quiet
    assert_null(ntke::registered_request_from(requests[0].next));
    assert_non_null(ntke::take_completions(queue));
    assert_int_equal(ntke::arm(queue), Arming::Already); // taking changes nothing
    assert_true(end(requests[1]));
    assert_false(end(requests[2]));
    assert_int_equal(ntke::arm(queue), Arming::Due);
    assert_non_null(ntke::take_completions(queue));
    assert_int_equal(ntke::arm(queue), Arming::Armed);
    assert_true(end(requests[3]));
}

struct Race {
    RegisteredQueue queue {};
    std::vector<RegisteredRequest> requests[kPushers];
    std::atomic<uint32_t> notifications { 0 };
    std::atomic<unsigned> next { 0 };
};

void* push_all(void* argument)
{
    auto& race = *static_cast<Race*>(argument);
    for (RegisteredRequest& request : race.requests[race.next.fetch_add(1)]) {
        if (ntke::complete_registered(request, 0, 0, [](RegisteredQueue&) {}))
            race.notifications.fetch_add(1);
    }
    return nullptr;
}

/// The consumer sleeps only when it has been told that it will be woken: a lost notification hangs.
void no_notification_is_lost(void**)
{
    Race race;
    for (unsigned i = 0; i < kPushers; ++i) {
        for (uint64_t number = 0; number < kEach; ++number)
            race.requests[i].push_back(new_request(race.queue, uint64_t { i } << 32 | number));
    }
    pthread_t threads[kPushers];
    for (pthread_t& thread : threads)
        assert_int_equal(pthread_create(&thread, nullptr, push_all, &race), 0);
    uint32_t last[kPushers] = {};
    uint32_t expected = 0;
    for (unsigned taken = 0; taken < kPushers * kEach;) {
        const RegisteredRequest* request = ntke::take_completions(race.queue);
        for (; request; request = ntke::registered_request_from(request->next)) {
            uint32_t& number = last[request->data >> 32];
            assert_int_equal(static_cast<uint32_t>(request->data), number);
            ++number;
            ++taken;
        }
        if (taken < kPushers * kEach && ntke::arm(race.queue) == Arming::Armed) {
            ++expected;
            while (race.notifications.load() < expected)
                sched_yield();
        }
    }
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    assert_int_equal(race.notifications.load(), expected);
    assert_null(ntke::take_completions(race.queue));
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(what_is_taken_is_in_order),
        cmocka_unit_test(it_notifies_once_for_each_time_it_is_armed),
        cmocka_unit_test(no_notification_is_lost),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
