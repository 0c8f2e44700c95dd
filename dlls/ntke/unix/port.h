// Completion ports under Wine.
#pragma once

#include <atomic>

#include "afd/absence.h"
#include "afd/pump.h"
#include "io/completion_queue.h"
#include "ke/event.h"
#include "ntke/notification.h"

namespace unix_side {

/// What a completion port of the host is to ntke, the source of its queue.
///
///     Host ──begin_serving──> Serving ──give_back──> Returned, for good
///       └────────────────────give_back──────────────────^
///
/// A port of the first state is the host's alone. It is served from the first socket on that is
/// associated with it and ntke serves, or when the program posts much to it and it carries no file
/// of the host's, whose packets would take longer here. Then its packets come to the queue, those
/// that the program posts too, and what the host's own files still send to the host's port is
/// brought here by a thread, the relay. Threads that waited at the host's port are called back.
///
/// A thread that waits alertably waits on the host, where APCs reach it, for an event that is set
/// when there is a packet for it; meanwhile the process' pump looks after the sockets.
///
/// A port that another process gets a handle of is returned to the host with its packets, and those
/// of the requests that the queue's sockets still make follow. The process' pump looks after these
/// sockets; sockets that are associated later are the host's. Each sender's packets stay in their
/// order through all of this, but for one: what a file of the host's sends while its port is being
/// returned may overtake what it has sent before.
///
/// Owner: the queue. Lock: none; m_state with m_waiters_outside and with m_posts_outside are each a
/// pair of which either side writes its own before it reads the other's.
class Port final : public io::WaitSource, public afd::Absence::Guest {
public:
    /// The queue of the port with this handle, null: there is none, it is no port, or the handle
    /// has not these rights.
    static ob::Ref<io::CompletionQueue> find(HANDLE handle, ACCESS_MASK access = 0);
    /// Attaches a queue to a handle of the host that is a port's, or may be one's.
    /// Errors: STATUS_NO_MEMORY.
    static NTSTATUS attach(HANDLE handle, ob::Ref<io::CompletionQueue>& queue);
    /// May a port of the host that is not known yet have other handles than this one, or get them
    /// by its name? Somebody else may wait there.
    static bool may_be_others(HANDLE handle);
    static Port& of(io::CompletionQueue& queue) { return static_cast<Port&>(*queue.source()); }

    bool is_serving() const { return m_state.load(std::memory_order_seq_cst) == State::Serving; }
    /// From here on the queue has the packets. `handle` is one of the port. Errors: the host's,
    /// when it has no handle, event or thread left: the port is the host's then, as before.
    NTSTATUS begin_serving(HANDLE handle);
    /// A file of the host's has been associated with the port.
    void note_host_file() { m_has_host_files.store(true, std::memory_order_relaxed); }
    /// Another process is about to get a handle of the port.
    void give_back();
    /// Takes packets, as the service does. `handle` is the port's.
    NTSTATUS remove(HANDLE handle, CompletionPacket* packets, uint32_t count, uint32_t* removed,
        bool is_alertable, const ke::DueTime& due);
    NTSTATUS post(HANDLE handle, const CompletionPacket& packet);
    /// Its socket state notifications, null: there are none.
    std::atomic<ntke::NotificationPort*>& notifications() { return m_notifications; }
    afd::Pump& pump() { return m_pump; }
    /// The port of a relay, by what the thread was started with: 32 bits that a 32-bit program's
    /// thread can carry. It stays as long as the relay has its reference.
    static Port* with_number(void* number);
    /// The relay's work; comes back when the port is closed, and gives up the relay's reference.
    void relay();

    void wait_and_serve(io::CompletionQueue& queue, const ke::DueTime& due) override;
    void interrupt() override { m_pump.wake(); }
    void on_packet_left() override;
    void on_poller_stopped() override;
    void on_poller_withdrawn() override;
    void take_packet(const CompletionPacket& packet) override;
    void on_closed() override;
    void on_dropped() override;
    void destroy() override;
    void on_guest_ready() override;
    /// For waits for the port's handle: an event of the host, signaled as long as there are
    /// packets. Null: the host has the packets, or has no event left.
    ob::Ref<ke::Event> event_for_host_waits();

    explicit Port(io::CompletionQueue& queue)
        : m_queue(queue)
    {
    }

private:
    /// BringingIn: what the host has comes into the queue, and posts wait, to come after it.
    enum class State : uint8_t { Host, Beginning, BringingIn, Serving, Returning, Returned };

    int epoll_to_watch() override { return m_pump.epoll_of_guest(); }
    void hold() override { m_queue.reference(); }
    void release() override { m_queue.dereference(); }
    bool is_over() const override;
    /// Where posts go. Undecided: what was posted before is still on its way into the queue.
    enum class Posts : uint8_t { ToHost, Undecided, ToQueue };
    Posts posts() const;
    bool is_beginning() const
    {
        const State state = m_state.load(std::memory_order_seq_cst);
        return state == State::Beginning || state == State::BringingIn;
    }
    void on_let_go() override;
    void tell_depth();

    NTSTATUS remove_packets(HANDLE handle, CompletionPacket* packets, uint32_t count,
        uint32_t* removed, bool is_alertable, const ke::DueTime& due);
    NTSTATUS remove_outside(HANDLE handle, CompletionPacket* packets, uint32_t count,
        uint32_t* removed, bool is_alertable, const ke::DueTime& due);
    NTSTATUS remove_alertably(
        CompletionPacket* packets, uint32_t count, uint32_t* removed, const ke::DueTime& due);
    NTSTATUS wait_alertably(const ke::DueTime& due);
    void note_look();
    void leave_source();
    NTSTATUS open(HANDLE handle);
    void serve_if_it_pays(HANDLE handle);
    void enlist();
    void take_off_list();
    void await_beginning() const;
    void await_waiters_outside();
    bool has_packets_on_host() const;
    void bring_in_what_is_there();
    void call_back_waiters();
    void end_relay();
    NTSTATUS remove_here(CompletionPacket* packets, uint32_t count, uint32_t* removed,
        bool is_alertable, const ke::DueTime& due);

    io::CompletionQueue& m_queue; // whose source this is
    afd::Pump m_pump;
    std::atomic<State> m_state { State::Host };
    std::atomic<uint32_t> m_waiters_outside { 0 }; // threads in the host's removal
    std::atomic<uint32_t> m_posts_outside { 0 }; // threads that post to the host
    std::atomic<uint32_t> m_posted_to_host { 0 }; // packets of the program's
    std::atomic<bool> m_has_host_files { false };
    std::atomic<uint32_t> m_alertable_waiters { 0 };
    std::atomic<int64_t> m_last_look { 0 }; // of a removal that did not wait; interrupt time
    std::atomic<bool> m_is_closed { false };
    std::atomic<bool> m_is_returning { false }; // the relay has to end
    std::atomic<bool> m_is_relay_over { false };
    std::atomic<ntke::NotificationPort*> m_notifications { nullptr };
    std::atomic<ke::Event*> m_wait_event { nullptr }; // of event_for_host_waits; holds a reference
    // The list of ports with a relay, guarded by its lock.
    uint32_t m_number = 0;
    Port* m_next = nullptr;
    // Written before State::Serving.
    HANDLE m_host_port = nullptr; // a handle of our own; the relay's
    HANDLE m_packet_event = nullptr; // auto-reset
};

} // namespace unix_side
