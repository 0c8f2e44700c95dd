// Sections in which the host stops no thread: when its signals come through. The host is a handler
// that counts.
#include <atomic>
#include <csignal>
#include <iterator>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/stoppable.h"
#include "stops.h"
#include "unit.h"
#include "unix/uninterrupted.h"

namespace {

using unix_side::Uninterrupted;

thread_local int t_stops; // SIGUSR1 that came through to the calling thread
thread_local int t_ends; // SIGQUIT

void on_signal(int signal, siginfo_t*, void*)
{
    ++(signal == SIGUSR1 ? t_stops : t_ends);
}

void raise_here(int signal)
{
    tgkill(getpid(), static_cast<pid_t>(syscall(SYS_gettid)), signal);
}

void outside_of_a_section_a_signal_comes_through(void**)
{
    const int before = t_stops;
    raise_here(SIGUSR1);
    assert_int_equal(t_stops, before + 1);
    {
        const Uninterrupted section; // the first one makes the thread known
    }
    raise_here(SIGUSR1);
    assert_int_equal(t_stops, before + 2);
}

void in_a_section_it_waits_for_the_end_of_the_outermost(void**)
{
    const int stops = t_stops;
    const int ends = t_ends;
    {
        const Uninterrupted outer;
        {
            const Uninterrupted inner;
            raise_here(SIGUSR1);
            raise_here(SIGUSR1); // like a blocked one, it is kept once
            raise_here(SIGQUIT);
        }
        assert_int_equal(t_stops, stops);
        assert_int_equal(t_ends, ends);
    }
    assert_int_equal(t_stops, stops + 1);
    assert_int_equal(t_ends, ends + 1);
    {
        const Uninterrupted section;
    }
    assert_int_equal(t_stops, stops + 1);
}

void where_a_section_sleeps_signals_come_through(void**)
{
    const int before = t_stops;
    const Uninterrupted outer;
    const Uninterrupted inner;
    raise_here(SIGUSR1);
    {
        const ke::Stoppable sleep(ke::WhenSuspended::KeepsPlace);
        assert_int_equal(t_stops, before + 1); // the one that came before
        raise_here(SIGUSR1);
        assert_int_equal(t_stops, before + 2);
    }
    raise_here(SIGUSR1);
    assert_int_equal(t_stops, before + 2);
}

void a_section_is_its_threads_alone(void**)
{
    // More than the places that are looked at for one of them, so they are used again.
    constexpr int kThreads = 300;
    const Uninterrupted section;
    for (int i = 0; i < kThreads; ++i) {
        pthread_t thread;
        void* result = nullptr;
        assert_int_equal(pthread_create(
                             &thread, nullptr,
                             [](void*) -> void* {
                                 raise_here(SIGUSR1); // unknown yet
                                 {
                                     const Uninterrupted other;
                                     raise_here(SIGUSR1);
                                     if (t_stops != 1)
                                         return nullptr;
                                 }
                                 return t_stops == 2 ? &t_stops : nullptr;
                             },
                             nullptr),
            0);
        pthread_join(thread, &result);
        assert_non_null(result);
    }
}

/// What belongs to it goes when it ends, what the host has of it, too.
void a_thread_that_has_ended_is_stopped_no_more(void**)
{
    {
        const Uninterrupted section; // the key of its threads' ends is there, so ours comes later
    }
    static std::atomic<int> ends_after_end;
    pthread_key_t key;
    assert_int_equal(pthread_key_create(&key,
                         [](void*) {
                             const int before = t_ends;
                             raise_here(SIGQUIT);
                             raise_here(SIGUSR1);
                             ends_after_end = t_ends - before + t_stops;
                         }),
        0);
    ends_after_end = -1;
    pthread_t thread;
    assert_int_equal(pthread_create(
                         &thread, nullptr,
                         [](void* used) -> void* {
                             const Uninterrupted section;
                             pthread_setspecific(*static_cast<pthread_key_t*>(used), used);
                             return nullptr;
                         },
                         &key),
        0);
    pthread_join(thread, nullptr);
    assert_int_equal(ends_after_end, 0);
    pthread_key_delete(key);
}

/// The last case: they are taken again afterwards.
void given_back_the_hosts_handlers_are_there_as_before(void**)
{
    unix_side::give_stops_back();
    struct sigaction action;
    assert_int_equal(sigaction(SIGUSR1, nullptr, &action), 0);
    assert_ptr_equal(action.sa_sigaction, on_signal);
    assert_null(unix_side::take_stops());
    signal(SIGQUIT, SIG_DFL);
    assert_non_null(unix_side::take_stops()); // nobody would stop a thread
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (!unit::stop_threads_by(on_signal))
        return 1;
    const CMUnitTest cases[] = {
        cmocka_unit_test(outside_of_a_section_a_signal_comes_through),
        cmocka_unit_test(in_a_section_it_waits_for_the_end_of_the_outermost),
        cmocka_unit_test(where_a_section_sleeps_signals_come_through),
        cmocka_unit_test(a_section_is_its_threads_alone),
        cmocka_unit_test(a_thread_that_has_ended_is_stopped_no_more),
        cmocka_unit_test(given_back_the_hosts_handlers_are_there_as_before),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
