#include "last_thread.h"

#include <atomic>

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
std::atomic<int> g_helpers { 0 };
std::atomic<DWORD> g_helper_ids[32]; // of those that run; more are taken for the program's
std::atomic<int> g_looks { kLooks }; // made since a thread has ended
std::atomic<ULONGLONG> g_next_look { 0 }; // when, GetTickCount64; written by the pump
std::atomic<HANDLE> g_last_to_end { nullptr }; // a handle of our own

} // namespace

void note_begin()
{
    g_threads.fetch_add(1, std::memory_order_relaxed);
}

void note_helper()
{
    g_helpers.fetch_add(1);
    for (std::atomic<DWORD>& slot : g_helper_ids) {
        DWORD free = 0;
        if (slot.compare_exchange_strong(free, GetCurrentThreadId()))
            return;
    }
}

void note_helper_ends()
{
    g_helpers.fetch_sub(1);
}

/// Is it one of ours that ends? Its end is no reason to look, and no handle is made for it: a
/// program that closes a handle twice could hit that one.
static bool is_helper_that_ends()
{
    const DWORD self = GetCurrentThreadId();
    for (std::atomic<DWORD>& slot : g_helper_ids) {
        DWORD id = self;
        if (slot.compare_exchange_strong(id, 0))
            return true;
    }
    return false;
}

void end_process(DWORD exit_code)
{
    if (g_helpers)
        ExitProcess(exit_code);
}

void note_end()
{
    if (is_helper_that_ends()) {
        g_threads.fetch_sub(1, std::memory_order_relaxed);
        return;
    }
    const int left = g_threads.fetch_sub(1, std::memory_order_relaxed) - 1 - g_helpers;
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
    const int helpers = g_helpers;
    while (others <= kFew + helpers) {
        HANDLE next = nullptr;
        status = NtGetNextThread(GetCurrentProcess(), thread,
            THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, 0, 0, &next);
        if (thread)
            kernel::close(thread);
        thread = next;
        if (!NT_SUCCESS(status))
            break;
        others += GetThreadId(thread) != GetCurrentThreadId()
            && kernel::wait(thread, false, &kernel::kNoWait) != STATUS_WAIT_0;
    }
    if (thread)
        kernel::close(thread);
    if (status != STATUS_NO_MORE_ENTRIES)
        return false;
    if (others > helpers) {
        g_threads = others + 1; // and the pump
        return false;
    }
    exit_code = 0;
    if (g_last_to_end)
        GetExitCodeThread(g_last_to_end, &exit_code);
    return true;
}

} // namespace ws2::last_thread
