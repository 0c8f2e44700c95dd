#include "last_thread.h"

#include <atomic>

#include "kernel.h"
#include "pump.h"

namespace ws2::last_thread {

namespace {

/// Threads that began before this module was loaded are not counted, so the count only says when it
/// is worth a look.
constexpr int kFew = 3;
/// A thread that ends has a way to go after DllMain: the first look comes at once, and each later
/// one after a time four times as long as the last.
constexpr int kLooks = 6;
constexpr ULONGLONG kFirstPause = 5; // milliseconds

std::atomic<int> g_threads { 1 };
std::atomic<int> g_looks { kLooks }; // made since a thread has ended
ULONGLONG g_next_look = 0; // when, GetTickCount64; the pump's alone
std::atomic<HANDLE> g_last_to_end { nullptr }; // a handle of our own

} // namespace

void note_begin()
{
    g_threads.fetch_add(1, std::memory_order_relaxed);
}

void note_end()
{
    if (g_threads.fetch_sub(1, std::memory_order_relaxed) - 1 > kFew || !pump::is_running())
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
    bool alone = true;
    while (alone) {
        HANDLE next = nullptr;
        const NTSTATUS status = NtGetNextThread(GetCurrentProcess(), thread,
            THREAD_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, 0, 0, &next);
        if (thread)
            kernel::close(thread);
        thread = next;
        if (!NT_SUCCESS(status))
            break;
        if (GetThreadId(thread) != GetCurrentThreadId()
            && kernel::wait(thread, false, &kernel::kNoWait) != STATUS_WAIT_0)
            alone = false;
    }
    if (thread)
        kernel::close(thread);
    exit_code = 0;
    if (alone && g_last_to_end)
        GetExitCodeThread(g_last_to_end, &exit_code);
    return alone;
}

} // namespace ws2::last_thread
