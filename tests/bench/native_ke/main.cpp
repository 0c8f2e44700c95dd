// ke.bench: what the kernel objects of ntke cost natively, each beside a yardstick of the same run.
#include <atomic>
#include <cstdlib>

#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/event.h"
#include "ke/thread.h"
#include "measure_ke.h"
#include "nt/api.h"

using namespace bench_ke;

namespace {

LARGE_INTEGER kNow {};

void check(bool is_right)
{
    if (!is_right) {
        fputs("ke.bench: a result is wrong\n", stderr);
        abort();
    }
}

HANDLE new_event(EventType type, bool signaled = false)
{
    HANDLE event = nullptr;
    check(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, type, signaled) == STATUS_SUCCESS);
    return event;
}

// The yardstick: an uncontended atomic exchange behind a function call.
std::atomic<uint32_t> g_word;
__attribute__((noinline)) uint32_t exchange_word(uint32_t value)
{
    return g_word.exchange(value);
}
void yardstick(uint64_t count)
{
    for (uint64_t i = 0; i < count; ++i)
        exchange_word(static_cast<uint32_t>(i));
}

constexpr uint64_t kMany = 200'000;

void one_thread()
{
    const HANDLE event = new_event(kNotificationEvent);
    const HANDLE automatic = new_event(kSynchronizationEvent);
    const auto set = [event](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            check(NtSetEvent(event, nullptr) == STATUS_SUCCESS);
    };
    const auto reset = [event](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            check(NtResetEvent(event, nullptr) == STATUS_SUCCESS);
    };
    const auto wait = [event](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            check(NtWaitForSingleObject(event, FALSE, &kNow) == STATUS_WAIT_0);
    };
    const auto set_and_wait = [automatic](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            NtSetEvent(automatic, nullptr);
            check(NtWaitForSingleObject(automatic, FALSE, &kNow) == STATUS_WAIT_0);
        }
    };
    constexpr const char* kOther = "exchange+call";
    print("NtSetEvent", compare(kMany, set, yardstick), kOther);
    print("NtResetEvent", compare(kMany, reset, yardstick), kOther);
    NtSetEvent(event, nullptr);
    print("satisfied wait, notification event", compare(kMany, wait, yardstick), kOther);
    print("set + satisfied wait, synchronization event", compare(kMany, set_and_wait, yardstick),
        kOther);
    NtClose(event);
    NtClose(automatic);
}

/// The same 8 handles looked up (by resetting their events) with few and with many others open.
void lookups()
{
    std::vector<HANDLE> handles;
    double first = 0;
    for (size_t open : { size_t { 10 }, size_t { 1'000 }, size_t { 1'000'000 } }) {
        while (handles.size() < open)
            handles.push_back(new_event(kNotificationEvent));
        HANDLE chosen[8];
        for (size_t i = 0; i < 8; ++i)
            chosen[i] = handles[i * (open / 8)];
        const double cost = measure(kMany, [&chosen](uint64_t count) {
            for (uint64_t i = 0; i < count; ++i)
                check(NtResetEvent(chosen[i % 8], nullptr) == STATUS_SUCCESS);
        });
        first = first ? first : cost;
        printf("%-44s %10.1f ns   ratio to 10 handles %.2f\n", "lookup + reset, 8 of", cost,
            cost / first);
        printf("%44s %10zu handles\n", "", open);
    }
    // Every lookup another handle in an order the processor cannot foresee: memory, not the table.
    uint64_t state = 1;
    print("lookup + reset, random of 1000000", measure(kMany, [&](uint64_t count) {
        for (uint64_t i = 0; i < count; ++i) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            NtResetEvent(handles[(state >> 33) % handles.size()], nullptr);
        }
    }));
    for (HANDLE handle : handles)
        NtClose(handle);
}

// --- Two threads

struct FutexCell {
    alignas(64) std::atomic<uint32_t> word { 0 };
};
FutexCell g_cells[2];

__attribute__((noinline)) uint32_t exchange_cell(FutexCell& cell, uint32_t value)
{
    return cell.word.exchange(value);
}

void futex_hand_over(int from)
{
    g_cells[from].word.store(1);
    syscall(SYS_futex, &g_cells[from].word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}
void futex_take(int cell)
{
    while (g_cells[cell].word.exchange(0) == 0)
        syscall(SYS_futex, &g_cells[cell].word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

/// Runs `body(argument)` on a second thread beside `mine`.
template <typename Body, typename Mine> void beside(Body body, Mine mine)
{
    pthread_t thread;
    struct Start {
        Body* body;
    } start { &body };
    check(pthread_create(
              &thread, nullptr,
              [](void* argument) -> void* {
                  (*static_cast<Start*>(argument)->body)();
                  return nullptr;
              },
              &start)
        == 0);
    mine();
    pthread_join(thread, nullptr);
}

void ping_pong()
{
    const HANDLE events[] = { new_event(kSynchronizationEvent), new_event(kSynchronizationEvent) };
    const auto ours = [&events](uint64_t count) {
        beside(
            [&] {
                for (uint64_t i = 0; i < count; ++i) {
                    NtWaitForSingleObject(events[0], FALSE, nullptr);
                    NtSetEvent(events[1], nullptr);
                }
            },
            [&] {
                for (uint64_t i = 0; i < count; ++i) {
                    NtSetEvent(events[0], nullptr);
                    NtWaitForSingleObject(events[1], FALSE, nullptr);
                }
            });
    };
    const auto raw = [](uint64_t count) {
        beside(
            [count] {
                for (uint64_t i = 0; i < count; ++i) {
                    futex_take(0);
                    futex_hand_over(1);
                }
            },
            [count] {
                for (uint64_t i = 0; i < count; ++i) {
                    futex_hand_over(0);
                    futex_take(1);
                }
            });
    };
    print("ping-pong round trip, two threads", compare(2'000, ours, raw), "raw futex");
    for (HANDLE event : events)
        NtClose(event);
}

/// Two threads, each its own event, against two threads that exchange a word of their own: if
/// unrelated objects met anywhere, the ratio would be worse than one thread's.
void unrelated_events()
{
    const HANDLE events[] = { new_event(kNotificationEvent), new_event(kNotificationEvent) };
    const auto set = [&events](int index, uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            NtSetEvent(events[index], nullptr);
    };
    const auto two
        = [&](uint64_t count) { beside([&] { set(0, count); }, [&] { set(1, count); }); };
    const auto exchange = [](int index, uint64_t count) {
        for (uint64_t i = 0; i < count; ++i)
            exchange_cell(g_cells[index], static_cast<uint32_t>(i));
    };
    const auto two_raw
        = [&](uint64_t count) { beside([&] { exchange(0, count); }, [&] { exchange(1, count); }); };
    print("set by each of 2 threads, unrelated events", compare(1'000'000, two, two_raw),
        "exchange+call by each of 2");
    for (HANDLE event : events)
        NtClose(event);
}

// --- Several objects

void wait_multiple()
{
    HANDLE events[64];
    for (HANDLE& event : events)
        event = new_event(kNotificationEvent);
    for (ULONG count : { 1u, 8u, 64u }) {
        NtSetEvent(events[count - 1], nullptr);
        char name[64];
        snprintf(name, sizeof(name), "wait any of %u, the last is signaled", count);
        print(name, measure(20'000, [&](uint64_t rounds) {
            for (uint64_t i = 0; i < rounds; ++i)
                check(NtWaitForMultipleObjects(count, events, kWaitAny, FALSE, &kNow)
                    == static_cast<NTSTATUS>(count - 1));
        }));
        NtResetEvent(events[count - 1], nullptr);
    }
    for (int i = 0; i < 8; ++i)
        NtSetEvent(events[i], nullptr);
    print("wait all of 8, satisfied", measure(20'000, [&](uint64_t rounds) {
        for (uint64_t i = 0; i < rounds; ++i)
            check(NtWaitForMultipleObjects(8, events, kWaitAll, FALSE, &kNow) == STATUS_WAIT_0);
    }));
    for (HANDLE event : events)
        NtClose(event);
}

// --- Many threads

constexpr int kCrowd = 1'000;
std::atomic<int> g_asleep;
std::atomic<int> g_released;
HANDLE g_gate;
HANDLE g_way_out;
ke::Thread* g_crowd[kCrowd];

void* wait_at_gate(void* index)
{
    g_crowd[reinterpret_cast<uintptr_t>(index)] = ke::Thread::current();
    ++g_asleep;
    NtWaitForSingleObject(g_gate, FALSE, nullptr);
    ++g_released;
    NtWaitForSingleObject(g_way_out, FALSE, nullptr); // exits are not part of what is timed
    return nullptr;
}

void crowd()
{
    std::vector<double> milliseconds;
    for (int round = 0; round < 5; ++round) {
        g_asleep = g_released = 0;
        g_gate = new_event(kNotificationEvent);
        g_way_out = new_event(kNotificationEvent);
        pthread_t threads[kCrowd];
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 64 * 1024);
        for (uintptr_t i = 0; i < kCrowd; ++i)
            check(pthread_create(&threads[i], &attributes, wait_at_gate, reinterpret_cast<void*>(i))
                == 0);
        while (g_asleep < kCrowd)
            usleep(1000);
        for (ke::Thread* thread : g_crowd) {
            while (!thread->is_asleep())
                usleep(1000);
        }
        const int64_t start = nanoseconds();
        NtSetEvent(g_gate, nullptr);
        while (g_released < kCrowd)
            usleep(50);
        milliseconds.push_back(static_cast<double>(nanoseconds() - start) / 1e6);
        NtSetEvent(g_way_out, nullptr);
        for (pthread_t thread : threads)
            pthread_join(thread, nullptr);
        NtClose(g_way_out);
        pthread_attr_destroy(&attributes);
        NtClose(g_gate);
    }
    printf("%-44s %10.2f ms\n", "1000 waiters released by one set", median(milliseconds));
}

} // namespace

int main()
{
    one_thread();
    lookups();
    ping_pong();
    unrelated_events();
    wait_multiple();
    crowd();
    return 0;
}
