// Endpoints: sockets as files.
#pragma once

#include <atomic>
#include <cstdint>

#include "afd/absence.h"
#include "afd/host_socket.h"
#include "afd/record.h"
#include "afd/signal.h"
#include "io/file.h"
#include "ke/event.h"
#include "ke/lock.h"
#include "ntke/calls.h"

namespace afd {

class Pump;
class ThreadPump;
class Watcher;

using ntke::SocketState;

/// A socket: its state, its data, its record of network events. Counterpart: AFD_ENDPOINT.
///
/// The base of SocketFile, whose requests come through dispatch (device.cpp). Under Wine what
/// changes the socket's state happens on the host (hosted_state.cpp).
///
/// Owner: references; handles, the pump and pending requests hold them. Lock: m_lock guards state,
/// record and event. It may be held while the kernel is asked about the socket, never while an
/// event is set. Transfers take it only while events are selected; the kernel orders the data
/// itself.
class Endpoint : public io::File {
public:
    explicit Endpoint(Mode mode);

    HostSocket& socket() { return m_socket; }
    SocketState state() const { return m_state.load(std::memory_order_acquire); }
    bool is_stream() const { return m_type == kTypeStream; }
    /// Can transfers be tried here, in this state?
    bool can_transfer() const
    {
        const SocketState now = state();
        return now == SocketState::Connected || now == SocketState::Datagram;
    }
    /// Is the connection made or the socket bound, as far as is known here? A host binds a socket
    /// with its first datagram, and keeps what is sent while it connects.
    bool is_established() const
    {
        return can_transfer() && (is_stream() || has(ntke::kSocketBound));
    }
    bool can_receive() const { return is_established() && !has(ntke::kSocketReceiveShutDown); }
    bool can_send() const { return is_established() && !has(ntke::kSocketSendShutDown); }
    /// Must transfers look at the record?
    bool is_recording() const { return m_is_recording.load(std::memory_order_acquire); }
    /// The socket's handle on the host, 0 natively.
    uint64_t host_handle() const { return m_host_handle; }
    /// Under Wine: is the socket the process', with nothing but a handle of the host's?
    bool is_own() const { return m_is_own.load(std::memory_order_relaxed); }
    /// Counts up with what may have made possible what was not.
    uint32_t changes() const { return m_changes.load(std::memory_order_acquire); }
    /// Is it the host that makes and changes the socket?
    bool is_of_host() const { return m_host_handle && !is_own(); }

    // Transfers. They never wait; results as HostSocket's, with the errors of a dead connection
    // settled. [recv/3]

    NTSTATUS receive(const Buffer* buffers, uint32_t count, uint32_t flags, Address* from,
        size_t* received) EXCLUDES(m_lock);
    NTSTATUS send(const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to,
        size_t* sent) EXCLUDES(m_lock);

    /// FIONREAD.
    uint32_t bytes_to_read()
    {
        return is_stream() ? m_socket.readable_bytes() : m_socket.datagram_bytes();
    }

    // Conditions.

    /// The poll conditions that hold, given what poll(2) says now. A level: nothing is recorded.
    uint32_t conditions_from_ready(uint32_t ready) const;
    /// The bits poll(2) must be asked for these conditions.
    static uint32_t ready_from_conditions(uint32_t conditions);

    // The record.

    /// Selects events. `event` is null together with mask 0. Returns through `replaced` the event
    /// of before, which is not set any more. Errors: STATUS_INSUFFICIENT_RESOURCES (cannot be
    /// watched), kPassDown (the host goes on with the record); the selection is then as it was.
    NTSTATUS select(ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced,
        SelectMode mode = SelectMode::Event) EXCLUDES(m_lock);
    /// Tells and reports what is pending and selected. `to_reset` (may be null) is an event of ours
    /// that is nonsignaled afterwards: a step with the taking. [WSAEnumNetworkEvents/6]
    /// Errors: kPassDown, as of select.
    NTSTATUS take_events(GetEventsResult& result, ke::Event* to_reset = nullptr) EXCLUDES(m_lock);
    /// The same for messages, if they go to this target: the host's event of the selection. Else
    /// nothing is taken.
    NTSTATUS take_messages(HANDLE target, GetEventsResult& result) EXCLUDES(m_lock);
    /// Stops recording, for the host goes on with it. The caller sets the event if something is
    /// pending and selected.
    struct Selection {
        ob::Ref<ke::Event> event;
        uint32_t mask = 0;
        uint32_t reported = 0;
        SelectMode mode = SelectMode::Event;
        GetEventsResult pending {};
    };
    Selection hand_over() EXCLUDES(m_lock);
    /// The event and the mask selected; null: none, or messages.
    ob::Ref<ke::Event> selection(uint32_t& mask) EXCLUDES(m_lock);
    /// Gives a new endpoint the event and the mask of its listener. False: there are none (any
    /// more), or it cannot be watched. [WSAEventSelect/69]
    bool inherit_selection(Endpoint& listener) EXCLUDES(m_lock);

    // What happens to the socket elsewhere.

    /// Lets go of the descriptor. No other call may be running; returns the event of the selection.
    ob::Ref<ke::Event> close_socket() EXCLUDES(m_lock);
    /// The pump saw something happen.
    virtual void on_ready(uint32_t ready) EXCLUDES(m_lock);

    /// Where the host makes the connections, it also knows how they end: called by the pump, with
    /// the endpoint's lock held, when there is something to ask. Null: the socket itself is asked.
    static void (*settle_with_host)(Endpoint& endpoint);

protected:
    friend class Pump;

    void wait_for_raises() const;
    NTSTATUS exchange_selection(ob::Ref<ke::Event> event, uint32_t mask,
        ob::Ref<ke::Event>& replaced, SelectMode mode) EXCLUDES(m_lock);

    NTSTATUS dispatch(io::Irp& irp, ULONG_PTR& information) override;

    // What a kind of endpoint with pending requests (socket_file.h) adds.

    /// Conditions that pending requests use up before anybody is told of them.
    virtual uint32_t claimed_conditions() const { return 0; }
    /// Does the host go on with the record, or is about to?
    virtual bool records_on_host() const { return false; }
    /// Must the pump go on telling, whether or not events are selected?
    virtual bool is_busy() const REQUIRES(m_lock) { return false; }

    /// Transfers without a look at the record; note_receive makes up for it.
    NTSTATUS receive_unrecorded(
        const Buffer* buffers, uint32_t count, uint32_t flags, Address* from, size_t* received);
    NTSTATUS send_unrecorded(const Buffer* buffers, uint32_t count, uint32_t flags,
        const Address* to, size_t* sent, const HostSocket::Control* control = nullptr);
    /// A receive of `asked` bytes has moved `received`: its condition may be told again.
    void note_receive(uint32_t flags, size_t asked, size_t received, NTSTATUS status)
        EXCLUDES(m_lock);
    /// Once taken, an urgent byte that was not seen would pass for data.
    void look_before_urgent_receive(uint32_t flags) EXCLUDES(m_lock);
    /// A send would have had to wait. [WSAEventSelect/38]
    void note_full() EXCLUDES(m_lock);

    static constexpr int kTypeStream = 1;

    /// Urgent bytes are data from now on: not one that has been read. [recv/21]
    void note_inline();

    /// Those of a connected stream that are about data.
    uint32_t data_from_ready(uint32_t ready) const;
    bool has_unread_data() const;
    /// Did the connection end with a reset, given what poll(2) says now?
    bool was_reset(uint32_t ready) const;
    /// What is known of a stream beside what poll(2) says.
    HostSocket::TcpState stream_state() const;
    HostSocket::TcpState unix_stream_state() const; // unix_stream.cpp
    bool has(uint32_t flag) const { return m_flags.load(std::memory_order_relaxed) & flag; }
    void note(uint32_t condition, NTSTATUS status, Signal& signal) REQUIRES(m_lock);
    /// Brings the record up to date with the socket.
    void refresh(Signal& signal) REQUIRES(m_lock);
    /// Would refresh find nothing? Asks one question instead of two. False: it may.
    bool is_up_to_date() const REQUIRES(m_lock);
    bool is_connection_untold() const REQUIRES(m_lock);
    /// How much has arrived since the last look: bytes, or memory of datagrams.
    uint64_t take_arrivals(uint32_t conditions) REQUIRES(m_lock);
    void refresh_data(uint32_t conditions, uint32_t ready, Signal& signal) REQUIRES(m_lock);
    NTSTATUS take(GetEventsResult& result, ke::Event* to_reset, Signal& signal) REQUIRES(m_lock);
    void re_enable(uint32_t conditions, bool look, Signal& signal) REQUIRES(m_lock);
    void settle_connect(uint32_t ready, Signal& signal) REQUIRES(m_lock);
    void enter_state(SocketState state, NTSTATUS status, uint32_t re_enabled, Signal& signal)
        REQUIRES(m_lock);
    /// The host has changed the socket's state. `accepted` connections have left a listener's
    /// queue.
    void apply_state(SocketState state, uint32_t flags, NTSTATUS status, uint32_t accepted,
        Signal& signal) REQUIRES(m_lock);
    /// Has the pump tell what happens. Errors: STATUS_INSUFFICIENT_RESOURCES.
    NTSTATUS watch() REQUIRES(m_lock);
    /// Where it is watched, if it is.
    Watcher& watcher() REQUIRES(m_lock);
    /// Its state is told to those who wait for this event: from here on it is watched where they
    /// wait. Transfers only, for what becomes of a connect is known to the pump of the process.
    void follow(ke::Event& event) REQUIRES(m_lock);
    /// Is watched by the pump of the process again.
    void leave_thread_pump() REQUIRES(m_lock);
    /// Has the port's pump tell what receives and accepts wait for, or everything. Errors: the
    /// same.
    enum class PortWatch : uint8_t { None, Arrivals, Everything };
    NTSTATUS watch_by_port(PortWatch what) REQUIRES(m_lock);
    /// Ends watch and record for good; the descriptor is still open. Returns the event.
    ob::Ref<ke::Event> stop_recording() REQUIRES(m_lock);
    bool posts_messages() const REQUIRES(m_lock) { return m_mode == SelectMode::Message; }
    void begin_message_select() REQUIRES(m_lock);
    void mute() REQUIRES(m_lock);

    HostSocket m_socket;
    int m_family = 0;
    int m_type = 0;
    int m_protocol = 0;
    uint64_t m_host_handle = 0;
    std::atomic<bool> m_is_own { false };
    std::atomic<SocketState> m_state { SocketState::Unconnected };
    std::atomic<uint32_t> m_flags { 0 }; // ntke::SocketFlags
    /// Linux has told of the reset, which it does once.
    mutable std::atomic<bool> m_has_told_reset { false };

    /// Linux keeps an urgent byte that has been read among those that have not.
    std::atomic<bool> m_has_read_urgent { false };

    /// AF_UNIX: what has been read, for Linux counts what is there only.
    std::atomic<uint64_t> m_bytes_read { 0 };

    ke::Lock m_lock;
    EventRecord m_record GUARDED_BY(m_lock);
    ob::Ref<ke::Event> m_event GUARDED_BY(m_lock);
    Signal::Raises m_raises { 0 }; // of m_event, and of those before
    SelectMode m_mode GUARDED_BY(m_lock) = SelectMode::Event;
    bool m_is_watched GUARDED_BY(m_lock) = false;
    /// Watched there instead of by the pump of the process, which has the reference all the same.
    ThreadPump* m_thread_pump GUARDED_BY(m_lock) = nullptr;
    bool m_is_muted GUARDED_BY(m_lock) = false; // watched, but only for errors
    bool m_is_closed GUARDED_BY(m_lock) = false;
    NTSTATUS m_connect_status GUARDED_BY(m_lock) = STATUS_SUCCESS; // why it failed
    /// Whether transfers must look at the record. Written under m_lock.
    std::atomic<bool> m_is_recording { false };

    /// Counts what may have made possible what was not: what Linux told, and changes of state.
    /// Written under m_lock.
    std::atomic<uint32_t> m_changes { 0 };

    // What had arrived when the record was last brought up to date: only more than that is new.
    uint64_t m_bytes_seen GUARDED_BY(m_lock) = 0; // stream: received ever
    uint32_t m_memory_seen GUARDED_BY(m_lock) = 0; // datagrams: memory of the queue
    uint64_t m_connections_seen GUARDED_BY(m_lock) = 0; // listener: accepted and queued
    uint64_t m_connections_accepted GUARDED_BY(m_lock) = 0;
    bool m_has_seen_end GUARDED_BY(m_lock) = false; // the peer's FIN
    static constexpr uint32_t kNoMark = ~0u;
    uint32_t m_mark_seen GUARDED_BY(m_lock) = kNoMark; // bytes before the urgent one
    bool m_has_had_urgent GUARDED_BY(m_lock) = false; // Linux stops receives at an urgent byte

    /// The port whose threads look after the socket, the first one it came to have to do with.
    /// Holds a reference.
    std::atomic<io::CompletionQueue*> m_port_queue { nullptr };
    /// To be attended while requests wait that only the port is told of.
    std::atomic<Absence::Guest*> m_port { nullptr };
    /// Where receives, accepts and polls are watched that only a completion port is told of: the
    /// port's own pump. Set once, after m_port_queue, which keeps it.
    std::atomic<Pump*> m_port_pump { nullptr };
    PortWatch m_watched_by_port GUARDED_BY(m_lock) = PortWatch::None;
    Endpoint* m_next_unwatched[2] = {}; // the lists of the process' pump and of the port's
};

} // namespace afd
