#include "last_thread.h"

#include <atomic>

#include "emulation.h"
#include "kernel.h"
#include "pump.h"

namespace ws2::last_thread {

namespace {

/// The count is a guess: threads that began before this module was loaded are missing from it, and
/// those that were terminated are still in it. With many threads there is a look now and then only,
/// which puts the count right when there are few. (A thread that terminates itself is not noticed.)
constexpr int kFew = 3;
constexpr ULONGLONG kNowAndThen = 1000; // milliseconds
/// A thread that ends has a way to go after DllMain: the first look comes at once, and each later
/// one after a time four times as long as the last.
constexpr int kLooks = 6;
constexpr ULONGLONG kFirstPause = 5; // milliseconds

std::atomic<int> g_threads { 1 };
std::atomic<int> g_looks { kLooks }; // made since a thread has ended
std::atomic<ULONGLONG> g_next_look { 0 }; // when, GetTickCount64; written by the pump
std::atomic<HANDLE> g_last_to_end { nullptr }; // a handle of our own

} // namespace

/// Is it one of ours, the pump among them?
static bool is_helper(DWORD thread)
{
    ntke::IsHelperArgs args { .thread = thread, .is_helper = 0, .padding = 0 };
    return emulation::is_on() && NT_SUCCESS(emulation::call(ntke::kCallIsHelper, &args))
        && args.is_helper;
}

void note_begin()
{
    if (!is_helper(GetCurrentThreadId()))
        g_threads.fetch_add(1, std::memory_order_relaxed);
}

void note_end()
{
    // The end of one of ours is no reason to look, and no handle is made for it: a program that
    // closes a handle twice could hit that one.
    if (is_helper(GetCurrentThreadId()))
        return;
    const int left = g_threads.fetch_sub(1, std::memory_order_relaxed) - 1;
    if (!pump::is_running() || (left > kFew && GetTickCount64() < g_next_look + kNowAndThen))
        return;
    HANDLE self = nullptr;
    NtDuplicateObject(GetCurrentProcess(), GetCurrentThread(), GetCurrentProcess(), &self,
        THREAD_QUERY_LIMITED_INFORMATION, 0, 0);
    if (const HANDLE before = g_last_to_end.exchange(self))
        kernel::close(before);
    g_looks = 0;
    pump::wake();
}

int patience()
{
    const int looks = g_looks;
    if (looks == kLooks)
        return -1;
    const ULONGLONG now = GetTickCount64();
    return looks && g_next_look > now ? static_cast<int>(g_next_look - now) : 0;
}

bool is_alone(DWORD& exit_code)
{
    if (patience() != 0)
        return false;
    const int looks = g_looks.fetch_add(1);
    g_next_look = GetTickCount64() + (kFirstPause << (2 * looks));
    HANDLE thread = nullptr;
    int others = 0;
    NTSTATUS status = STATUS_SUCCESS;
    while (others <= kFew) {
        HANDLE next = nullptr;
        status = NtGetNextThread(GetCurrentProcess(), thread,
            THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, 0, 0, &next);
        if (thread)
            kernel::close(thread);
        thread = next;
        if (!NT_SUCCESS(status))
            break;
        others += !is_helper(GetThreadId(thread))
            && kernel::wait(thread, false, &kernel::kNoWait) != STATUS_WAIT_0;
    }
    if (thread)
        kernel::close(thread);
    if (status != STATUS_NO_MORE_ENTRIES)
        return false;
    if (others) {
        g_threads = others;
        return false;
    }
    exit_code = 0;
    if (g_last_to_end)
        GetExitCodeThread(g_last_to_end, &exit_code);
    return true;
}

} // namespace ws2::last_thread
