// The wait for objects together with messages of a window. Its sleep is the host's, in the Linux
// half of windows, which waits past the system service table; so the service is taken where
// programs enter it.
#include <iterator>

#include "ke/user_memory.h"
#include "unix/host_services.h"
#include "unix/program_events.h"
#include "unix/services.h"
#include "unix/uninterrupted.h"
#include "unix/wait_place.h"

namespace services {

namespace {

constexpr DWORD kForever = 0xFFFF'FFFF;
constexpr DWORD kFailed = 0xFFFF'FFFF; // WAIT_FAILED; the host has set the last error
constexpr DWORD kWaitsForAll = 1; // MWMO_WAITALL
constexpr DWORD kIsAlertable = 2; // MWMO_ALERTABLE
constexpr int64_t kPerMillisecond = 10'000; // 100 ns units

DWORD milliseconds(const ke::DueTime& due)
{
    if (due.is_never())
        return kForever;
    return due.is_now() ? 0 : static_cast<DWORD>(ke::milliseconds_until(due.interrupt_time()));
}

class MessagePlace final : public HostPlace {
public:
    MessagePlace(const WaitHandles& handles, DWORD mask, DWORD flags)
        : HostPlace(handles, flags & kIsAlertable)
        , m_mask(mask)
        , m_flags(flags)
    {
    }

private:
    NTSTATUS ask(
        ULONG count, const HANDLE* handles, bool is_alertable, const ke::DueTime& due) override
    {
        const DWORD flags = is_alertable ? m_flags : m_flags & ~kIsAlertable;
        const DWORD result
            = host::wait_for_messages(count, handles, milliseconds(due), m_mask, flags);
        return static_cast<NTSTATUS>(result); // the same values, WAIT_FAILED included
    }
    /// The host may call the program's hooks and window procedures before it sleeps.
    ke::WhenSuspended when_suspended() const override { return ke::WhenSuspended::KeepsPlace; }

    const DWORD m_mask;
    const DWORD m_flags;
};

ke::DueTime due_from(DWORD timeout)
{
    LARGE_INTEGER time;
    time.QuadPart = -int64_t { timeout } * kPerMillisecond;
    return ke::DueTime::from_timeout(timeout == kForever ? nullptr : &time);
}

/// None of ours is among them.
DWORD pass_down(DWORD count, const HANDLE* handles, DWORD timeout, DWORD mask, DWORD flags)
{
    const LARGE_INTEGER time { .QuadPart = -int64_t { timeout } * kPerMillisecond };
    look_away(&time);
    return host::wait_for_messages(count, handles, timeout, mask, flags);
}

DWORD wait_for_messages(DWORD count, const HANDLE* handles, DWORD timeout, DWORD mask, DWORD flags)
{
    HANDLE copy[MAXIMUM_WAIT_OBJECTS];
    if (!count || count >= std::size(copy) || !ke::read_user(copy, handles, count * sizeof(HANDLE)))
        return pass_down(count, handles, timeout, mask, flags);
    const ke::DueTime due = due_from(timeout);
    for (;; timeout = milliseconds(due)) {
        Waited waited(copy, count);
        if (!waited.has_ours())
            return pass_down(count, waited.handles().host_handles, timeout, mask, flags);
        MessagePlace place(waited.handles(), mask, flags);
        // Together with a message: only the host can tell.
        const NTSTATUS status = flags & kWaitsForAll ? waited.move_to_host()
                                                     : wait_for(waited, place, kWaitAny, true, due);
        if (!NT_SUCCESS(status) && static_cast<DWORD>(status) != kFailed)
            return kFailed; // no memory, no handle
        if (status != STATUS_REPARSE)
            return static_cast<DWORD>(status);
    }
}

} // namespace

void take_message_waits()
{
    if (!service_table::has_new_one_of_windows()) [[likely]]
        return;
    const unix_side::Uninterrupted section;
    if (!host::wait_for_messages.entry)
        host::wait_for_messages.entry = host::find_function(host::wait_for_messages.name);
    // Past us such a wait would see no event of the process'.
    if (!service_table::take_of_windows(
            service_table::row<wait_for_messages>(host::wait_for_messages.name)))
        program_events::leave_all_to_host();
}

} // namespace services
