#include "harness.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "platform.h"

namespace nt_suite {

struct Background {
    std::function<NTSTATUS()> call;
    std::atomic<bool> is_running { false };
    std::atomic<bool> has_ended { false };
    NTSTATUS result = 0;
    HANDLE handle = nullptr; // to the thread, made by itself
    void* thread = nullptr;
};

namespace {

std::vector<HANDLE> owned_handles;
std::vector<Background*> backgrounds;

void background_main(void* argument)
{
    auto* background = static_cast<Background*>(argument);
    NtDuplicateObject(current_process(), current_thread(), current_process(), &background->handle,
        0, 0, DUPLICATE_SAME_ACCESS);
    background->is_running = true;
    background->result = background->call();
    background->has_ended = true;
}

/// What the case left: threads first, since they may use the handles.
int teardown(void**)
{
    int hanging = 0;
    for (Background* background : backgrounds) {
        if (background->thread && !join_thread(background->thread)) {
            print_error("a background call did not end\n");
            ++hanging;
            continue;
        }
        delete background;
    }
    backgrounds.clear();
    for (HANDLE handle : owned_handles)
        NtClose(handle);
    owned_handles.clear();
    return hanging;
}

} // namespace

int run_group(const Group& group)
{
    std::vector<CMUnitTest> cases(group.cases, group.cases + group.count);
    for (CMUnitTest& unit : cases)
        unit.teardown_func = teardown;
    return _cmocka_run_group_tests(group.name, cases.data(), cases.size(), nullptr, nullptr);
}

HANDLE owned(HANDLE handle)
{
    owned_handles.push_back(handle);
    return handle;
}

void disown(HANDLE handle)
{
    owned_handles.erase(
        std::remove(owned_handles.begin(), owned_handles.end(), handle), owned_handles.end());
}

void close_owned(HANDLE handle)
{
    disown(handle);
    assert_status(NtClose(handle), STATUS_SUCCESS);
}

HANDLE new_event(EventType type, bool signaled, ACCESS_MASK access)
{
    HANDLE event = nullptr;
    assert_status(NtCreateEvent(&event, access, nullptr, type, signaled), STATUS_SUCCESS);
    show_to_winsock(event);
    return owned(event);
}

HANDLE new_port(ULONG concurrency)
{
    HANDLE port = nullptr;
    assert_status(NtCreateIoCompletion(&port, GENERIC_ALL, nullptr, concurrency), STATUS_SUCCESS);
    return owned(port);
}

HANDLE closed_handle()
{
    HANDLE event = nullptr;
    assert_status(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE),
        STATUS_SUCCESS);
    assert_status(NtClose(event), STATUS_SUCCESS);
    return event;
}

bool is_signaled(HANDLE event)
{
    struct {
        ULONG type;
        LONG state;
    } info {};
    assert_status(NtQueryEvent(event, 0, &info, sizeof(info), nullptr), STATUS_SUCCESS);
    return info.state != 0;
}

NTSTATUS poll(HANDLE handle, bool alertable)
{
    return NtWaitForSingleObject(handle, alertable, &kNow);
}

Background* run_in_background(std::function<NTSTATUS()> call)
{
    auto* background = new Background;
    background->call = std::move(call);
    background->thread = start_thread(background_main, background);
    backgrounds.push_back(background);
    assert_non_null(background->thread);
    assert_eventually([&] { return background->is_running.load(); });
    owned(background->handle);
    return background;
}

HANDLE background_thread(const Background* background)
{
    return background->handle;
}

NTSTATUS join(Background* background)
{
    void* thread = background->thread;
    background->thread = nullptr;
    const bool has_ended = join_thread(thread);
    if (!has_ended)
        fail_msg("the background call hangs");
    return background->result;
}

bool has_ended(const Background* background)
{
    return background->has_ended;
}

void assert_eventually(const std::function<bool()>& question)
{
    const uint64_t start = milliseconds();
    while (!question()) {
        if (milliseconds() - start > 15000)
            fail_msg("did not happen");
        pause_briefly();
    }
}

} // namespace nt_suite
