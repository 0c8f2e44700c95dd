// Waits of which a part is the host's: objects that are its own, user APCs, window messages.
//
//   WaitForMultipleObjects(event of the process', pipe)
//      event signaled?  the host checks the pipe, without waiting, and the event is taken
//      else             linked to the event; asleep on the host, for { the thread's sleeper, pipe }
//                       whoever sets the event ends the wait and sets the sleeper
//
// So no event has to go to the host for such a wait, and setting one that nobody waits for there
// asks the host nothing.
#pragma once

#include "ke/event.h"
#include "ke/stoppable.h"
#include "ke/thread.h"
#include "ke/wait.h"
#include "ob/object.h"
#include "ob/read_section.h"

namespace services {

/// The handles of a wait. Owner: the service's frame.
struct WaitHandles {
    ke::DispatcherObject* objects[MAXIMUM_WAIT_OBJECTS]; // null: the host's
    ke::Event* events[MAXIMUM_WAIT_OBJECTS]; // whose state the object is; else undefined
    HANDLE host_handles[MAXIMUM_WAIT_OBJECTS]; // what the host is to wait for in its place then
    ULONG count = 0;
    ULONG of_host = 0;
};

/// A sleep on the host. How it is asked differs by service.
class HostPlace : public ke::WaitPlace, public ke::HostSleep {
public:
    HostPlace(const WaitHandles& handles, bool is_alertable)
        : m_handles(handles)
        , m_is_alertable(is_alertable)
    {
    }
    NTSTATUS sleep(ke::Thread& thread, const ke::DueTime& due) final;
    bool has_others() const override { return m_handles.of_host; }
    NTSTATUS check_others(uint32_t index) final;
    void give_back(ke::DispatcherObject& event) final;

protected:
    /// Asks the host for any of `count` objects. The result counts them; STATUS_WAIT_0 + count is
    /// for what takes part besides and is no object.
    virtual NTSTATUS ask(
        ULONG count, const HANDLE* handles, bool is_alertable, const ke::DueTime& due);
    /// Of a thread that sleeps there. Only what runs no code of the program's meanwhile can
    /// withdraw.
    virtual ke::WhenSuspended when_suspended() const { return ke::WhenSuspended::Withdraws; }

private:
    NTSTATUS wait(HANDLE sleeper, const ke::DueTime& due) final;
    NTSTATUS ask_with(HANDLE extra, uint32_t place, bool is_alertable, const ke::DueTime& due);

    const WaitHandles& m_handles;
    const bool m_is_alertable;
};

/// The handles of a wait, found out. Holds what it has found. Owner: the service's frame.
class Waited {
public:
    /// `handles` is a copy of the program's; used outside from here on (ob::OutsideUse).
    Waited(const HANDLE* handles, ULONG count);
    ~Waited();
    Waited(const Waited&) = delete;

    const WaitHandles& handles() const { return m_handles; }
    bool has_ours() const { return m_handles.of_host < m_handles.count; }
    /// Gives ours to the host; then the wait is begun anew. Errors: the host's.
    NTSTATUS move_to_host();

private:
    void look(ULONG index, HANDLE handle);

    const ob::OutsideUse m_use;
    WaitHandles m_handles;
    ob::Ref<ob::Object> m_known[MAXIMUM_WAIT_OBJECTS];
    bool m_is_any_known = false;
};

/// The calling thread is about to sleep, and ke has no part in it: others look after its sockets.
/// `timeout`: the program's. In a wait of no time it is no sleep: the thread does so itself.
void look_away(const LARGE_INTEGER* timeout);
/// The calling thread does so, without a wait.
void look_around();

/// A wait of which at least one handle is ke's. STATUS_REPARSE: it is to be begun anew. Errors: the
/// host's, STATUS_NO_MEMORY.
NTSTATUS wait_for(
    Waited& waited, HostPlace& place, WaitType type, bool is_alertable, const ke::DueTime& due);

} // namespace services
