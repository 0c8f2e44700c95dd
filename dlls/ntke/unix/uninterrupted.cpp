#include "unix/uninterrupted.h"

#include <cerrno>
#include <csignal>
#include <iterator>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ke/thread.h"
#include "ke/timeline.h"

namespace unix_side {

constinit thread_local StopState* t_stop_state __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

/// What the host stops threads with: SuspendThread, TerminateThread.
constexpr int kStops[] = { SIGUSR1, SIGQUIT };
constexpr uint32_t kSuspends = 0;
struct sigaction g_of_host[std::size(kStops)];

// The states of all threads, by the thread's number, scattered, for numbers come in rows: one lies
// at the first of kSteps places from its own on that was free. A thread that finds none, which
// takes tens of thousands, is stopped in its sections, too.
constexpr uint32_t kPlaces = 1 << 16;
constexpr uint32_t kSteps = 64;
constexpr int32_t kFree = -1;
constinit StopState g_states[kPlaces];
constinit StopState g_of_nobody;

pthread_once_t g_end_key_once = PTHREAD_ONCE_INIT;
pthread_key_t g_end_key;

StopState& place(int32_t thread, uint32_t step)
{
    constexpr uint32_t kScatter = 0x9E3779B1; // 2^32 over the golden ratio
    return g_states[((static_cast<uint32_t>(thread) * kScatter >> 16) + step) % kPlaces];
}

/// Uses nothing that a thread has of its own: a signal may come in Windows code, which has the
/// segment registers otherwise. What the library's function has of a thread is where it keeps an
/// error; on i386 it is how Linux is entered.
__attribute__((no_stack_protector)) int32_t number_of_current()
{
#ifdef __i386__
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(SYS_gettid) : "memory");
#else
    const long result = syscall(SYS_gettid);
#endif
    return static_cast<int32_t>(result);
}

__attribute__((no_stack_protector)) StopState* find(int32_t thread)
{
    for (uint32_t step = 0; step < kSteps; ++step) {
        StopState& state = place(thread, step);
        const int32_t owner = state.thread.load(std::memory_order_relaxed);
        if (owner == thread)
            return &state;
        if (!owner)
            return nullptr;
    }
    return nullptr;
}

/// The thread is in Linux code: it has what belongs to it.
void withdraw()
{
    const int error = errno;
    {
        const Uninterrupted section; // it may be terminated as well
        const ke::timeline::Pause pause; // the thread may have begun an entry
        ke::Thread::withdraw_current();
    }
    errno = error;
}

__attribute__((no_stack_protector)) void on_stop(int signal, siginfo_t* info, void* context)
{
    const uint32_t index = signal == kStops[0] ? 0 : 1;
    StopState* state = find(number_of_current());
    if (state && state->depth.load(std::memory_order_relaxed)) {
        state->noted.fetch_or(1u << index, std::memory_order_relaxed);
        return;
    }
    if (state && state->withdraws.load(std::memory_order_relaxed)) {
        if (index == kSuspends)
            withdraw();
        else // it sleeps no more
            state->withdraws.store(false, std::memory_order_relaxed);
    }
    g_of_host[index].sa_sigaction(signal, info, context);
}

/// The thread ends, by itself or stopped. The host may still terminate it, with all others of the
/// process, and would look for what it has of it, which is gone by the time the thread is.
void free_state(void* state)
{
    sigset_t stops;
    sigemptyset(&stops);
    for (const int signal : kStops)
        sigaddset(&stops, signal);
    pthread_sigmask(SIG_BLOCK, &stops, nullptr);
    t_stop_state = nullptr;
    auto& ended = *static_cast<StopState*>(state);
    ended.depth.store(0, std::memory_order_relaxed);
    ended.withdraws.store(false, std::memory_order_relaxed);
    ended.noted.store(0, std::memory_order_relaxed);
    ended.thread.store(kFree, std::memory_order_release);
}

} // namespace

StopState& make_stop_state()
{
    pthread_once(&g_end_key_once, [] { pthread_key_create(&g_end_key, free_state); });
    const int32_t thread = number_of_current();
    StopState* state = find(thread); // one with this number ended without a word
    for (uint32_t step = 0; !state && step < kSteps; ++step) {
        StopState& candidate = place(thread, step);
        for (int32_t unused : { 0, kFree }) {
            if (candidate.thread.compare_exchange_strong(
                    unused, thread, std::memory_order_acquire)) {
                state = &candidate;
                break;
            }
        }
    }
    if (!state)
        return g_of_nobody;
    state->depth.store(0, std::memory_order_relaxed);
    state->withdraws.store(false, std::memory_order_relaxed);
    state->deliver(); // what was taken for the signals of that one
    pthread_setspecific(g_end_key, state);
    t_stop_state = state;
    return *state;
}

const char* take_stops()
{
    for (uint32_t i = 0; i < std::size(kStops); ++i) {
        struct sigaction& before = g_of_host[i];
        if (sigaction(kStops[i], nullptr, &before) != 0 || !(before.sa_flags & SA_SIGINFO))
            return "the host does not stop threads by signals";
    }
    for (uint32_t i = 0; i < std::size(kStops); ++i) {
        struct sigaction ours = g_of_host[i]; // its flags, and the signals it wants blocked
        ours.sa_sigaction = on_stop;
        sigaction(kStops[i], &ours, nullptr);
    }
    return nullptr;
}

void give_stops_back()
{
    for (uint32_t i = 0; i < std::size(kStops); ++i)
        sigaction(kStops[i], &g_of_host[i], nullptr);
}

void StopState::deliver()
{
    const uint32_t signals = noted.exchange(0, std::memory_order_relaxed);
    for (uint32_t i = 0; i < std::size(kStops); ++i) {
        if (signals & 1u << i)
            tgkill(getpid(), number_of_current(), kStops[i]);
    }
}

uint32_t let_stops_in(ke::WhenSuspended what)
{
    StopState* const state = t_stop_state;
    if (!state)
        return 0;
    state->withdraws.store(what == ke::WhenSuspended::Withdraws, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    const uint32_t before = state->depth.exchange(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (state->noted.load(std::memory_order_relaxed)) [[unlikely]]
        state->deliver();
    return before;
}

void hold_stops_off(uint32_t before)
{
    if (StopState* state = t_stop_state) {
        state->depth.store(before, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        state->withdraws.store(false, std::memory_order_relaxed);
    }
}

} // namespace unix_side
