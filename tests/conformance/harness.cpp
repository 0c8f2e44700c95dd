#include "harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace conformance {

struct Background {
    std::function<long long()> call;
    Outcome outcome;
    HANDLE thread;
    DWORD thread_id;
    HANDLE running;
};

namespace {

/// What stands around one case: its own description, and the fixture of the file that wrote it.
struct WrappedCase {
    const CMUnitTest* original;
};

std::vector<SOCKET> owned_sockets;
std::vector<HANDLE> owned_handles;
std::vector<Background*> backgrounds;
const WrappedCase* running_case;

/// Ends the process when one case takes longer than any chain of checked waits may: it is blocked
/// in a call that should have returned, and nothing in this process can get it out.
constexpr DWORD kCaseLimit = 60000;
HANDLE case_started;

DWORD WINAPI watch_cases(void*)
{
    WaitForSingleObject(case_started, INFINITE);
    while (WaitForSingleObject(case_started, kCaseLimit) == WAIT_OBJECT_0) { }
    const WrappedCase* hanging = running_case;
    printf("Bail out! %s hangs\n", hanging ? hanging->original->name : "the group");
    fflush(stdout);
    TerminateProcess(GetCurrentProcess(), 4);
    return 0;
}

void start_watch()
{
    if (case_started)
        return;
    case_started = CreateEventW(nullptr, FALSE, FALSE, nullptr);
    CloseHandle(CreateThread(nullptr, 0, watch_cases, nullptr, 0, nullptr));
}

void close_everything()
{
    for (SOCKET socket : owned_sockets)
        closesocket(socket);
    owned_sockets.clear();
    for (Background* background : backgrounds) {
        // Only a thread that has ended may lose its record.
        if (WaitForSingleObject(background->thread, kHangLimit) == WAIT_OBJECT_0) {
            CloseHandle(background->thread);
            delete background;
        } else {
            print_error("a background call did not end\n");
        }
    }
    backgrounds.clear();
    for (HANDLE handle : owned_handles)
        WSACloseEvent(handle); // it closes whatever kernel object it is given
    owned_handles.clear();
}

int case_setup(void** state)
{
    running_case = static_cast<const WrappedCase*>(*state);
    SetEvent(case_started);
    *state = running_case->original->initial_state;
    const CMFixtureFunction setup = running_case->original->setup_func;
    return setup ? setup(state) : 0;
}

int case_teardown(void** state)
{
    const CMFixtureFunction teardown = running_case->original->teardown_func;
    const int result = teardown ? teardown(state) : 0;
    close_everything();
    return result;
}

int start_winsock(void**)
{
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data);
}

int stop_winsock(void**)
{
    WSACleanup();
    return 0;
}

template <typename T> void forget(std::vector<T>& list, T value)
{
    const auto found = std::find(list.rbegin(), list.rend(), value);
    if (found != list.rend())
        list.erase(std::next(found).base());
}

DWORD WINAPI background_main(void* argument)
{
    auto* background = static_cast<Background*>(argument);
    SetEvent(background->running);
    background->outcome.value = background->call();
    background->outcome.error = WSAGetLastError();
    return 0;
}

} // namespace

int run_group(const Group& group)
{
    start_watch();
    std::vector<WrappedCase> wrapped(group.count);
    std::vector<CMUnitTest> cases(group.count);
    for (size_t i = 0; i < group.count; ++i) {
        wrapped[i] = { &group.cases[i] };
        cases[i] = { group.cases[i].name, group.cases[i].test_func, case_setup, case_teardown,
            &wrapped[i] };
    }
    return _cmocka_run_group_tests(group.name, cases.data(), cases.size(),
        group.started ? start_winsock : nullptr, group.started ? stop_winsock : nullptr);
}

void fail_at(const Where& where, const char* format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    print_error("%s\n", message);
    _fail(where.file_name(), static_cast<int>(where.line()));
    abort(); // _fail never returns, which its declaration does not say.
}

SOCKET owned(SOCKET socket)
{
    if (socket != INVALID_SOCKET)
        owned_sockets.push_back(socket);
    return socket;
}

HANDLE owned(HANDLE handle)
{
    if (handle && handle != INVALID_HANDLE_VALUE)
        owned_handles.push_back(handle);
    return handle;
}

void disown(SOCKET socket)
{
    forget(owned_sockets, socket);
}

void disown(HANDLE handle)
{
    forget(owned_handles, handle);
}

void close_owned(SOCKET socket, Where where)
{
    disown(socket);
    if (closesocket(socket) != 0)
        fail_at(where, "closesocket failed with %d", WSAGetLastError());
}

void close_owned(HANDLE handle, Where where)
{
    disown(handle);
    if (!WSACloseEvent(handle))
        fail_at(where, "closing the handle failed with %lu", GetLastError());
}

void* lasting_memory(size_t size)
{
    // Not malloc: cmocka may check its blocks, and these are meant to stay.
    return VirtualAlloc(nullptr, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

WSAEVENT new_event(Where where)
{
    const WSAEVENT event = WSACreateEvent();
    if (event == WSA_INVALID_EVENT)
        fail_at(where, "WSACreateEvent failed with %d", WSAGetLastError());
    return owned(event);
}

HANDLE new_auto_event(Where where)
{
    const HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
    if (!event)
        fail_at(where, "CreateEvent failed with %lu", GetLastError());
    return owned(event);
}

bool is_signaled(HANDLE handle)
{
    // Winsock's wait, which knows every event Winsock makes.
    return WSAWaitForMultipleEvents(1, &handle, FALSE, 0, FALSE) == WSA_WAIT_EVENT_0;
}

void assert_becomes_signaled(HANDLE handle, Where where)
{
    const DWORD result = WSAWaitForMultipleEvents(1, &handle, FALSE, kHangLimit, FALSE);
    if (result != WAIT_OBJECT_0)
        fail_at(where, "the object was not signaled: the wait returned %#lx", result);
}

void let_it_settle()
{
    Sleep(60);
}

void assert_eventually(const std::function<bool()>& question, Where where)
{
    const ULONGLONG start = GetTickCount64();
    while (!question()) {
        if (GetTickCount64() - start > kHangLimit)
            fail_at(where, "what had to become true did not");
        Sleep(1);
    }
}

Background* run_in_background(std::function<long long()> call, Where where)
{
    auto* background = new Background { std::move(call), {}, nullptr, 0, new_auto_event(where) };
    background->thread
        = CreateThread(nullptr, 0, background_main, background, 0, &background->thread_id);
    if (!background->thread) {
        delete background;
        fail_at(where, "CreateThread failed with %lu", GetLastError());
    }
    backgrounds.push_back(background);
    // An APC queued to a thread that has not begun would run before the call instead of in it.
    assert_becomes_signaled(background->running, where);
    return background;
}

DWORD background_thread_id(const Background* background)
{
    return background->thread_id;
}

HANDLE background_thread(const Background* background)
{
    return background->thread;
}

Outcome join(Background* background, Where where)
{
    if (WaitForSingleObject(background->thread, kHangLimit) != WAIT_OBJECT_0)
        fail_at(where, "the background call did not return");
    return background->outcome;
}

bool has_ended(const Background* background)
{
    return WaitForSingleObject(background->thread, 0) == WAIT_OBJECT_0;
}

bool comes_to(const std::atomic<LONG>& count, LONG wanted)
{
    const ULONGLONG limit = GetTickCount64() + kEventLimit;
    while (count < wanted && GetTickCount64() < limit)
        Sleep(0);
    return count >= wanted;
}

} // namespace conformance
