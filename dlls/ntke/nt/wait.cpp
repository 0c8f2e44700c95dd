// The wait services. Rules and their sources: spec/NtWait.md.
#include "ke/thread.h"
#include "ke/wait.h"
#include "nt/api.h"
#include "nt/probe.h"
#include "nt/publish.h"

namespace {

/// Runs what interrupted the wait on its way out to the caller.
NTSTATUS leave_service(ke::Thread& thread, NTSTATUS status)
{
    if (status == STATUS_USER_APC)
        thread.deliver_apcs();
    return status;
}

/// A handle's object as something to wait for. In NT's order: handle, access, waitable at all.
NTSTATUS look_waitable(const ob::ReadSection& section, HANDLE handle, ob::Object** object)
{
    const NTSTATUS status
        = ob::HandleTable::current().look(section, handle, nullptr, SYNCHRONIZE, object);
    if (NT_SUCCESS(status) && !(*object)->dispatcher())
        return STATUS_OBJECT_TYPE_MISMATCH;
    return status;
}

/// The objects of one wait, looked at first and then referenced. A failure on the way gives back
/// the references that are there.
class WaitObjects {
public:
    ~WaitObjects()
    {
        while (m_references > 0)
            m_objects[--m_references]->dereference();
    }
    NTSTATUS look(const ob::ReadSection& section, const HANDLE* handles, ULONG count)
    {
        for (ULONG i = 0; i < count; ++i) {
            const NTSTATUS status = look_waitable(section, handles[i], &m_objects[i]);
            if (!NT_SUCCESS(status))
                return status;
            m_dispatchers[i] = m_objects[i]->dispatcher();
        }
        return STATUS_SUCCESS;
    }
    /// In the same section.
    NTSTATUS reference(ULONG count)
    {
        for (; m_references < count; ++m_references) {
            if (!m_objects[m_references]->try_reference())
                return STATUS_INVALID_HANDLE;
        }
        return STATUS_SUCCESS;
    }
    ke::DispatcherObject* const* dispatchers() const { return m_dispatchers; }

private:
    ob::Object* m_objects[MAXIMUM_WAIT_OBJECTS];
    ke::DispatcherObject* m_dispatchers[MAXIMUM_WAIT_OBJECTS];
    ULONG m_references = 0;
};

NTSTATUS wait_for_referenced(
    ob::Ref<ob::Object> object, BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    const NTSTATUS status = ke::wait_for_single(*thread, *object->dispatcher(),
        ke::Alertable { alertable != FALSE }, ke::DueTime::from_timeout(timeout));
    object.reset(); // an APC may close the last handle and look whether the object has gone
    return leave_service(*thread, status);
}

} // namespace

extern "C" {

NTSTATUS NTAPI NtWaitForSingleObject(HANDLE handle, BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    if (const NTSTATUS status = nt::probe_optional(timeout); !NT_SUCCESS(status))
        return status;
    if (handle == nt::current_thread()) {
        ob::Ref<ob::Object> self = ob::Ref<ob::Object>::share(ke::Thread::current());
        return self ? wait_for_referenced(std::move(self), alertable, timeout) : STATUS_NO_MEMORY;
    }

    ob::Ref<ob::Object> object;
    {
        const ob::ReadSection section;
        ob::Object* found = nullptr;
        if (const NTSTATUS status = look_waitable(section, handle, &found); !NT_SUCCESS(status))
            return status;
        // Signaled already: nothing to wait for, so nothing to hold on to.
        if (found->dispatcher()->try_satisfy())
            return STATUS_WAIT_0;
        if (!found->try_reference())
            return STATUS_INVALID_HANDLE;
        object = ob::Ref<ob::Object>::adopt(found);
    }
    return wait_for_referenced(std::move(object), alertable, timeout);
}

NTSTATUS NTAPI NtWaitForMultipleObjects(ULONG count, const HANDLE* handles, WaitType type,
    BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    if (count == 0 || count > MAXIMUM_WAIT_OBJECTS)
        return STATUS_INVALID_PARAMETER_1; // the array is not looked at
    if (type != kWaitAll && type != kWaitAny)
        return STATUS_INVALID_PARAMETER_3;
    if (const NTSTATUS status = nt::probe_optional(timeout); !NT_SUCCESS(status))
        return status;
    if (const NTSTATUS status = nt::probe(handles, count * sizeof(HANDLE), 4); !NT_SUCCESS(status))
        return status;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;

    NTSTATUS status;
    {
        WaitObjects objects;
        {
            const ob::ReadSection section;
            status = objects.look(section, handles, count);
            if (!NT_SUCCESS(status))
                return status;
            // All are there, and the first one is signaled: nothing to hold on to.
            if (type == kWaitAny && objects.dispatchers()[0]->try_satisfy())
                return STATUS_WAIT_0;
            status = objects.reference(count);
            if (!NT_SUCCESS(status))
                return status;
        }
        status = ke::wait_for_multiple(*thread, objects.dispatchers(), count, type,
            ke::Alertable { alertable != FALSE }, ke::DueTime::from_timeout(timeout));
    }
    return leave_service(*thread, status);
}

NTSTATUS NTAPI NtDelayExecution(BOOLEAN alertable, const LARGE_INTEGER* timeout)
{
    if (const NTSTATUS status = nt::probe_value(timeout); !NT_SUCCESS(status))
        return status;
    ke::Thread* thread = ke::Thread::current();
    if (!thread)
        return STATUS_NO_MEMORY;
    return leave_service(*thread,
        ke::delay(
            *thread, ke::Alertable { alertable != FALSE }, ke::DueTime::from_timeout(timeout)));
}

} // extern "C"
