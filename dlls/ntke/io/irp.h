// I/O requests.
//
//   issued ──dispatch──> completed at once                       the service completes it
//      └──── pend() ──> pending ──claim()──> claimed ──complete()──> completed
//                          ^   driver or canceller, whoever claims first
//                          └──────unclaim()──────┘
#pragma once

#include <atomic>
#include <cstdint>

#include "io/completion_queue.h"
#include "ke/apc.h"
#include "ke/event.h"
#include "ke/thread.h"
#include "nt/api.h"
#include "ntke/registered.h"
#include "ob/object.h"

namespace io {

class File;
class RegisteredNotifier;

/// What a request asks for. Counterpart: IO_STACK_LOCATION.MajorFunction.
/// Registered: the input is a ntke::RegisteredRequest.
enum class Operation : uint8_t { Read, Write, DeviceControl, Registered };

/// The arguments of a request, as the caller gave them. Counterpart: IO_STACK_LOCATION.
struct Parameters {
    Operation operation = Operation::DeviceControl;
    ULONG code = 0; // ioctl code
    const void* input = nullptr;
    ULONG input_length = 0; // bytes
    void* output = nullptr; // Read: the buffer. Write uses input.
    ULONG output_length = 0; // bytes
};

/// Where the result goes. Counterpart: IRP.UserIosb, UserEvent, Overlay.AsynchronousParameters.
struct Delivery {
    ob::Ref<ke::Event> event;
    PIO_APC_ROUTINE apc = nullptr;
    PVOID apc_context = nullptr;
    IO_STATUS_BLOCK* iosb = nullptr; // the program's, in its layout (nt/caller.h)
    /// A request of registered I/O: its end, error or not, is told to its completion queue alone.
    ntke::RegisteredRequest* registered = nullptr;
};

/// One request to a file. Counterpart: IRP.
///
/// A request is completed exactly once: the service that issued it completes it when dispatch
/// returns anything but STATUS_PENDING; once pended, it belongs to whoever wins claim(). After
/// complete() the caller must not look at the request again.
///
/// Owner: intrusive references: the issuing service, the file's list while pending, and whoever
/// calls hold(). Locks: the file's m_irp_lock and the thread's irp_lock for the two lists; `driver`
/// members are guarded by the driver's own lock.
class Irp {
public:
    /// Called, with no lock held, after a canceller has claimed the request. Takes it off the
    /// driver's queue; the canceller completes it afterwards with the returned status
    /// (STATUS_CANCELLED as a rule) and `information` (0 unless set). Counterpart: DRIVER_CANCEL.
    using CancelRoutine = NTSTATUS (*)(Irp& irp, ULONG_PTR& information);

    /// Errors: null = memory is out.
    static Irp* create(
        ke::Thread& thread, File& file, const Parameters& parameters, Delivery delivery);

    const Parameters& parameters() const { return m_parameters; }
    File& file() const { return *m_file; }
    ke::Thread& thread() const { return *m_thread; }

    // For drivers, in dispatch.

    /// Makes the request pending: from here on it can be cancelled, and dispatch must return
    /// STATUS_PENDING whatever happens to it meanwhile. Put it on the driver's queue first and keep
    /// the driver's lock across both, so that the cancel routine finds what it looks for. A driver
    /// checks under the same lock that its file's last handle is still open: what is pended later
    /// is not cancelled by the close.
    void pend(CancelRoutine cancel);

    /// Before pend(), with no lock held: makes the event of the request nonsignaled where the host
    /// keeps its state. A request that ends at once is spared that.
    void prepare_to_pend();

    /// For a request that ends at once: its end is told like that of a pended one, error or not.
    void tell_also_errors() { m_tells_errors = true; }

    // For drivers, later.

    /// Takes the right and the duty to complete a pending request. Exactly one caller gets it; for
    /// the others the request is as good as gone (the winner takes it off the driver's queue).
    bool claim();
    /// Gives the right back: the request cannot be served yet after all and stays pending. False: a
    /// canceller has asked for it meanwhile; the caller keeps the right and completes the request
    /// as cancelled.
    [[nodiscard]] bool unclaim();
    /// Cancels the request as the service does. The caller holds it, and no driver lock. False: it
    /// is completing already.
    bool cancel();
    /// Puts the end of a claimed request of registered I/O where the program sees it; complete()
    /// does the rest. For drivers that end requests in order: under their lock, and before the
    /// request leaves its queue, so that none that is made later is there first.
    void publish(NTSTATUS status, ULONG_PTR information);
    /// Ends a claimed request. No driver lock held: events, APCs and packets are delivered.
    void complete(NTSTATUS status, ULONG_PTR information);

    /// Is its end told by a packet and in no other way?
    bool ends_with_packet_only() const { return wants_packet() && !m_delivery.event; }
    /// Is it told in a way that needs nothing of the thread that has issued the request?
    bool outlives_thread() const { return m_delivery.registered || ends_with_packet_only(); }
    /// The event that is set at its end, null: none.
    ke::Event* event() const { return m_delivery.event.get(); }
    /// The port that threads wait at for the request's end, null: there is none.
    CompletionQueue* awaiting_port() const;

    /// Keeps the memory of a request; drivers need it only for a claimed one they put aside.
    void hold() { m_references.fetch_add(1, std::memory_order_relaxed); }
    void release();

    /// The driver's links and room, free while the driver owns the request. Zero at first.
    struct Driver {
        Irp* next = nullptr;
        Irp* previous = nullptr;
        void* context = nullptr;
        /// Called when the request's memory goes, to free `context`; may be null.
        void (*free_context)(void* context) = nullptr;
        uint64_t scratch[6] = {};
    } driver;

    Irp(ke::Thread& thread, File& file, const Parameters& parameters, Delivery&& delivery);

    ~Irp();

private:
    friend class File;
    friend NTSTATUS issue(File& file, const Parameters& parameters, Delivery delivery);
    friend void cancel_all_of_exiting_thread(ke::Thread& thread);

    enum State : uint32_t {
        kIssued,
        kPending,
        kClaimed,
        kClaimedButUnwanted, // a canceller came too late
        kCompleted,
    };

    /// claim() for cancellers. When it is refused, unclaim() will be refused too.
    bool claim_to_cancel();
    /// Cancels a request the caller has claimed and holds.
    void cancel_claimed();
    void link();
    void unlink();
    bool wants_packet() const;
    /// Tells the caller: status block, then event, APC, packet.
    void deliver(NTSTATUS status, ULONG_PTR information);
    void deliver_apc();
    NTSTATUS wait_until_completed();

    std::atomic<uint32_t> m_references { 1 };
    std::atomic<uint32_t> m_state { kIssued };
    const Parameters m_parameters;
    Delivery m_delivery;
    ob::Ref<File> m_file;
    ob::Ref<ke::Thread> m_thread;
    CancelRoutine m_cancel = nullptr;
    // The two lists a pending request is in.
    Irp* m_file_next = nullptr;
    Irp* m_file_previous = nullptr;
    Irp* m_thread_next = nullptr;
    Irp* m_thread_previous = nullptr;
    // A completion needs no memory: its packet and its APC are part of the request.
    struct OwnPacket : Packet {
        Irp* irp = nullptr;
    } m_packet;
    struct OwnApc : ke::Apc {
        Irp* irp = nullptr;
    } m_apc;
    // For synchronous files: the issuing thread waits for it.
    ke::DispatcherObject m_done { ke::DispatcherObject::Kind::Notification, false };
    NTSTATUS m_status = 0; // written before m_done is set
    bool m_tells_errors = false;
    bool m_is_published = false;
    RegisteredNotifier* m_notifier = nullptr; // to be notified, a reference
};

/// Where threads and their APCs are a host's: queues the call of a completion to the thread. Null:
/// ke has them. Set once, before the first request.
extern void (*g_queue_apc_on_host)(
    ke::Thread& thread, PIO_APC_ROUTINE routine, PVOID context, IO_STATUS_BLOCK* iosb);

/// Where threads are a host's: before a request of the calling thread begins to wait. Null: nothing
/// to do.
extern void (*g_before_pending)(ke::Thread& thread);

/// Sends a request to the file and waits for its end if the handle is synchronous. Returns what the
/// Nt service returns. Counterpart: IopSynchronousServiceTail.
NTSTATUS issue(File& file, const Parameters& parameters, Delivery delivery);

/// Cancels the requests `thread` has pending on any file; those that report to a completion port
/// without an event survive, another thread will see them. Called when a thread exits, or is
/// stopped.
void cancel_all_of_exiting_thread(ke::Thread& thread);

} // namespace io
