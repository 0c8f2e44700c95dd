// File objects.
#pragma once

#include <atomic>
#include <cstdint>

#include "io/irp.h"
#include "ke/event.h"
#include "ke/lock.h"
#include "nt/status.h"
#include "ob/object.h"

namespace io {

struct Device;

/// FILE_SKIP_* of SetFileCompletionNotificationModes.
enum CompletionModes : uint32_t {
    kSkipCompletionPortOnSuccess = 1,
    kSkipSetEventOnHandle = 2,
    kAllCompletionModes = kSkipCompletionPortOnSuccess | kSkipSetEventOnHandle,
};

/// An open file. Counterpart: FILE_OBJECT together with its device's dispatch table.
///
/// Drivers derive from it (afd::Endpoint). Owner: references; handles and pending requests hold
/// them. Lock: m_irp_lock guards the list of pending requests, a leaf. The completion port is set
/// once and never changes.
///
/// Waiting for a handle to a file waits for m_event: nonsignaled when a request without an event of
/// its own is issued, signaled when one completes.
class File : public ob::Object {
public:
    static ob::Type& object_type() { return ob::g_file_type; }

    /// How requests on the file end. Counterpart: FO_SYNCHRONOUS_IO, FO_ALERTABLE_IO.
    enum class Mode : uint8_t { Asynchronous, Synchronous, SynchronousAlertable };

    /// `options` are those of NtCreateFile.
    static Mode mode_from_options(ULONG options);

    Mode mode() const { return m_mode; }
    /// Is this request ours to serve? Where the file is a host's, what is not goes to the host. The
    /// parameters' input has been copied; the answer may have changed by the time of the dispatch,
    /// which then gives STATUS_MORE_PROCESSING_REQUIRED, nothing having happened.
    virtual bool serves(const Parameters&) { return true; }
    /// The device it belongs to, null for files of tests. Counterpart: FILE_OBJECT.DeviceObject.
    virtual const Device* device() const { return nullptr; }

    /// Binds the file to a port for good. Counterpart: FileCompletionInformation.
    /// Errors: STATUS_INVALID_PARAMETER (has one already, or the file is synchronous).
    NTSTATUS associate(ob::Ref<CompletionQueue> queue, ULONG_PTR key) EXCLUDES(m_irp_lock);
    bool has_completion_queue() const { return m_queue.load(std::memory_order_acquire); }

    /// Bits of CompletionModes can be added, not taken away. Errors: STATUS_INVALID_PARAMETER.
    NTSTATUS add_completion_modes(uint32_t modes);

    /// Cancels pending requests; each completes with what its cancel routine returns, or is served
    /// by whoever tries to at this moment. `iosb`: only the request with that block; `thread`: only
    /// that thread's; null = all. Returns whether there was any.
    bool cancel(const IO_STATUS_BLOCK* iosb, const ke::Thread* thread) EXCLUDES(m_irp_lock);

    /// For waits that are a host's: an event of the host that is signaled like the file, made with
    /// the first such wait by `make`. Null: there is no need to wait here, for nothing is pending
    /// that could signal the file, and nothing has; or it cannot be made.
    ob::Ref<ke::Event> event_for_host_waits(
        NTSTATUS (*make)(bool signaled, ob::Ref<ke::Event>& event)) EXCLUDES(m_irp_lock);

protected:
    explicit File(Mode mode);
    /// Cancels what is pending. Drivers that override call this last.
    void on_last_handle_closed() override;
    /// Lets go of the port, which may outlive its handle only as long as it has files. Drivers that
    /// override call this last.
    void on_last_reference_dropped() override;

private:
    /// Does what the request asks. On the issuing thread, no lock held. Returns STATUS_PENDING
    /// after irp.pend(), else the result, with `information` set, and the request is over. Error
    /// statuses (0xC...) reach the caller as the service's result only: no event, no APC, no
    /// packet, no status block. Counterpart: the driver's dispatch routine.
    virtual NTSTATUS dispatch(Irp& irp, ULONG_PTR& information) = 0;

    friend class Irp;
    friend NTSTATUS issue(File& file, const Parameters& parameters, Delivery delivery);

    void signal();
    void unsignal();
    void drop_mirror();
    ob::Ref<ke::Event> reference_mirror() const;

    const Mode m_mode;
    std::atomic<ke::Event*> m_mirror { nullptr }; // of event_for_host_waits; holds a reference
    ke::DispatcherObject m_event { ke::DispatcherObject::Kind::Notification, false };
    std::atomic<uint32_t> m_completion_modes { 0 };
    std::atomic<CompletionQueue*> m_queue { nullptr }; // holds a reference
    ULONG_PTR m_key = 0; // written before m_queue
    mutable ke::Lock m_irp_lock;
    Irp* m_first_irp GUARDED_BY(m_irp_lock) = nullptr;
};

} // namespace io
