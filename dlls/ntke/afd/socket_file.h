// The AFD driver: endpoints as files with requests.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "afd/endpoint.h"
#include "afd/hosted_record.h"
#include "afd/request_queue.h"
#include "io/device.h"

namespace afd {

struct Accept;
struct CreateParams;
struct EventSelectParams;
struct HostedAccept;
struct SendControlParams;
struct SendMsgParams;
struct Poll;
struct PollLink;
struct Transfer;
struct TransmitParams;
struct WsaBuf;

/// What Linux has said about a socket in this state, with no lock held.
struct EarlierLook {
    SocketState state;
    uint32_t ready;
    bool is_valid;
};

/// A request that the host does, as far as its effect on the socket depends on it.
struct PassedRequest {
    ULONG code;
    uint32_t input[4]; // what it begins with; zeros where it is shorter
    // What note_passed_down leaves for note_answered.
    uint32_t added_flags;
    uint32_t connects_made;
    // Of a connect, that one before it has failed, and what it has re-enabled.
    bool had_failed;
    HostedRecord::Dropped dropped;
};

/// An endpoint whose requests come through the file services: what NtCreateFile opens on
/// \Device\Afd. Under Wine the host has these files, and one of ours is attached to each of them.
///
/// A request is tried at once; if it would have to wait, it is put on one of the queues, and the
/// pump, told of every change of the socket, serves the queues before the record: data that a
/// pending receive takes and connections that a pending accept takes are told to nobody else.
///
/// device.cpp has the table of the handlers; they are spread over the folder by topic. pending.cpp
/// is the way of a request that waits, close.cpp the end of a socket.
///
/// Lock: Endpoint's m_lock guards the queues too. Of a listener and a socket that it accepts into,
/// the listener's is taken first. Requests complete with no lock held.
class SocketFile final : public Endpoint {
public:
    static const io::Device g_device;

    static NTSTATUS open(Mode mode, ob::Ref<io::File>& file);
    /// The socket with this handle. Errors: STATUS_INVALID_HANDLE, STATUS_OBJECT_TYPE_MISMATCH,
    /// STATUS_BAD_DEVICE_TYPE (no socket has been created on it).
    static NTSTATUS by_handle(HANDLE handle, ob::Ref<SocketFile>& socket);

    explicit SocketFile(Mode mode);

    const io::Device* device() const override { return &g_device; }
    void on_ready(uint32_t ready) override EXCLUDES(m_lock);

    // What uses the descriptor beside the lock; the last one closes it. False: the last handle is
    // gone.
    bool begin_use();
    void end_use();
    /// A socket that records was left to the host: waits until the calls have ended that began
    /// before, for what they do is noted in the record. `own`: uses of the caller's.
    void wait_for_calls(uint32_t own) const;

    // Under Wine: the file is the host's, and this is attached to its handle. hosted.cpp

    /// A file of the host's, no socket yet; null: no memory.
    static ob::Ref<SocketFile> make_hosted(uint64_t host_handle, Mode mode);
    /// It is a socket of Winsock's; later calls change nothing. `is_seen`: all that has been done
    /// to it since it was opened. `listener` (may be null) is what it was accepted from.
    void tell_created(const ntke::AttachArgs& args, bool is_seen, const SocketFile* listener)
        EXCLUDES(m_lock);
    /// The host has taken a connection off the queue of a listener.
    static void note_accepted_from(SocketFile& listener) EXCLUDES(listener.m_lock);

    // What the host does to the socket is noted as its requests pass and come back.
    // hosted_state.cpp

    /// Is there something to note of requests of this code?
    bool is_noted(ULONG code) const;
    /// Before the host does it.
    void note_passed_down(PassedRequest& request) EXCLUDES(m_lock);
    /// The host has answered; `output` is what its output begins with, of a receive how much came.
    void note_answered(const PassedRequest& request, NTSTATUS status, uint32_t output)
        EXCLUDES(m_lock);
    /// A connect that the host had left pending has ended.
    void note_connect_ended(NTSTATUS status) EXCLUDES(m_lock);
    /// A poll of the host has found these conditions.
    void note_polled(uint32_t found) EXCLUDES(m_lock);
    /// Must the host be told of the non-blocking mode, which a selection of events has set here?
    bool must_tell_mode() const
    {
        return m_is_nonblocking.load(std::memory_order_relaxed)
            && !m_is_nonblocking_on_host.load(std::memory_order_relaxed);
    }
    /// The host has this mode by now.
    void note_mode(bool is_nonblocking);
    bool serves(const io::Parameters& parameters) override;
    /// Are there sockets of this kind that serve requests of this code?
    bool may_serve(ULONG code) const { return is_own() || find_served(code); }
    /// What this has pending goes on; new requests are the host's, for good.
    void leave_to_host();
    /// The same, but not of a socket that has a record of events, maybe since a moment ago.
    void leave_to_host_unless_recording() EXCLUDES(m_lock);
    /// kIoctlShutdownHere of a socket that is the host's.
    NTSTATUS end_on_host();
    bool is_left_to_host() const { return m_is_left_to_host.load(std::memory_order_acquire); }
    /// A port is told of receives: from here on its pump watches those. A socket that has one keeps
    /// it.
    void use_port(ob::Ref<io::CompletionQueue> queue, Absence::Guest& port, Pump& pump);
    /// The socket that an object is, null: it is something else.
    static SocketFile* from(ob::Object& object);
    /// Its owner closes the last handle now; nobody else needs to be told.
    void note_owner_closes() { m_owner_closes.store(true, std::memory_order_relaxed); }
    /// Handles of these sockets were closed by somebody else. `told` is called for each, with the
    /// socket's host handle and serial, until it returns false. Each is told once.
    static void take_closed(
        bool (*told)(void* context, uint64_t host_handle, uint64_t serial), void* context);
    /// Connections that are there go to the requests that wait for them: the host accepts. One
    /// thread at a time does; it looks again before it leaves. hosted_accept.cpp
    void accept_on_host() EXCLUDES(m_lock);
    /// The same, and waits for the thread that does. Before an accept goes to the host.
    void accept_older_on_host() EXCLUDES(m_lock);
    /// A request that may pend is left to the host; it has ended at once after all.
    void note_request_on_host(bool is_send);
    void note_request_on_host_ended(bool is_send);
    /// May there be requests on the host to cancel? Those on a synchronous handle wait inside it.
    bool may_have_requests_on_host() const
    {
        return m_requests_on_host.load(std::memory_order_relaxed) || mode() != Mode::Asynchronous;
    }
    /// May sends be among them, which do not end with the last handle?
    bool may_have_sends_on_host() const { return m_sends_on_host.load(std::memory_order_relaxed); }
    // A record that the host goes on with. unix/hand_over.cpp

    /// Serialises what brings the selection to the host. Held over requests to the host, which do
    /// not wait, by a thread that is not stopped meanwhile; comes before m_lock.
    ke::Lock& selection_lock() RETURN_CAPABILITY(m_selection_lock) { return m_selection_lock; }
    HostedRecord& hosted_record() REQUIRES(m_selection_lock) { return m_hosted_record; }
    bool hosted_record_is_kept() const { return m_hosted_record.is_kept(); }
    /// The conditions that are selected on the host.
    uint32_t mask_on_host() const { return m_mask_on_host.load(std::memory_order_relaxed); }
    void note_selected_on_host(uint32_t mask)
    {
        m_mask_on_host.store(mask, std::memory_order_relaxed);
    }
    /// Gives the socket to the host, with its selection.
    static void (*give_to_host)(SocketFile& socket);
    /// The event of a program, to be set.
    static NTSTATUS (*find_event)(HANDLE handle, ob::Ref<ke::Event>& event);

    bool is_nonblocking() const { return m_is_nonblocking.load(std::memory_order_relaxed); }
    bool is_created() const { return m_is_created.load(std::memory_order_acquire); }
    /// Endpoint's select; like the request, it makes the socket non-blocking.
    NTSTATUS select_events(ob::Ref<ke::Event> event, uint32_t mask, ob::Ref<ke::Event>& replaced,
        SelectMode mode) EXCLUDES(m_lock);
    /// Those conditions that no pending request takes.
    uint32_t unclaimed_conditions(uint32_t ready) const
    {
        return conditions_from_ready(ready) & ~claimed_conditions();
    }
    /// Makes sure that there is a descriptor. Once there is none to be had, the socket is left to
    /// the host. Errors: those of open_host_descriptor, STATUS_INVALID_HANDLE (closed, or the
    /// host's).
    NTSTATUS open_descriptor() EXCLUDES(m_lock);
    bool has_descriptor() const { return m_has_descriptor.load(std::memory_order_acquire); }
    /// Gives a descriptor of its own for a socket of the host.
    static NTSTATUS (*open_host_descriptor)(uint64_t host_handle, int& fd);
    /// Does a socket of the host that gets another connection by an AcceptEx serve that one? Newer
    /// hosts keep the descriptor of its last one in the process. Written once, before its use.
    static bool can_host_accept_again;
    /// Unmaps a view of the host's by an address in it. No lock is held.
    static void (*unmap_view)(void* address);

    // Under Wine, sockets of AF_UNIX, which the host cannot make. unix_own.cpp

    /// Makes a socket of a descriptor, which it owns from here on. Errors: STATUS_INVALID_HANDLE
    /// (of another kind), STATUS_NO_MEMORY.
    static NTSTATUS make_own(HostSocket& opened, ob::Ref<SocketFile>& socket);
    /// Gives an accepted one its handle.
    static NTSTATUS (*publish_own)(SocketFile& socket, HANDLE& handle);
    /// Keeps the mode where every process that has the socket finds it.
    void tell_mode();
    /// Names the host's handle `other` in a poll wherever one of these is named. False: there is
    /// none.
    static bool name_other_in_poll(void* poll, ULONG length, uint64_t other);
    void set_host_handle(uint64_t host_handle) { m_host_handle = host_handle; }
    /// Its owner's number for it.
    void set_serial(uint64_t serial) { m_serial = serial; }

    /// Has the host accept a connection, now. STATUS_DEVICE_NOT_READY: there is none after all.
    using AcceptByHost = NTSTATUS(uint64_t listener, uint64_t acceptor, HostedAccept& accepted);
    static AcceptByHost* accept_by_host;
    /// Has the host connect, which is as good as done. `input` is a request's, without data.
    using ConnectByHost = NTSTATUS(uint64_t host_handle, const void* input, uint32_t length);
    static ConnectByHost* connect_by_host;

    /// A transfer of a call that does not wait, past the requests: kPassDown, nothing has happened,
    /// when older ones wait. Otherwise as Endpoint's.
    NTSTATUS receive_now(
        const Buffer* buffers, uint32_t count, uint32_t flags, Address* from, size_t* received);
    NTSTATUS send_now(
        const Buffer* buffers, uint32_t count, uint32_t flags, const Address* to, size_t* sent);

    /// Takes requests of registered I/O, in order. Returns null, or the first one that is the
    /// host's; nothing has happened to it and those behind it. registered.cpp
    ntke::RegisteredRequest* submit(ntke::RegisteredRequest* first) EXCLUDES(m_lock);

private:
    friend class SocketUse;
    friend struct Poll;

    struct ServedRow;
    static const ServedRow kServed[];
    static const ServedRow* find_served(ULONG code);
    bool serves_message(const io::Parameters& parameters);
    bool serves_data(const io::Parameters& parameters);
    bool serves_receive(const io::Parameters& parameters);
    bool serves_count(const io::Parameters& parameters);
    bool serves_accept(const io::Parameters& parameters);
    bool serves_connect(const io::Parameters& parameters);
    bool serves_connect_time(const io::Parameters& parameters);
    bool serves_completion(const io::Parameters& parameters);
    bool serves_class_of_service(const io::Parameters& parameters);
    bool serves_option(const io::Parameters& parameters);
    bool serves_plain_option(const io::Parameters& parameters);
    bool serves_peer_name(const io::Parameters& parameters);
    bool serves_end(const io::Parameters& parameters);
    bool serves_shutdown(const io::Parameters& parameters);
    bool serves_transmit(const io::Parameters& parameters);
    bool serves_poll(const io::Parameters& parameters);
    bool can_be_polled();
    bool serves_event_select(const io::Parameters& parameters);
    bool serves_get_events(const io::Parameters& parameters);
    bool serves_mode(const io::Parameters& parameters);
    bool records_on_host() const override { return is_left_to_host(); }
    void change(SocketState state, uint32_t flags, Signal& signal, NTSTATUS status = STATUS_SUCCESS)
        REQUIRES(m_lock);
    void note_connect(const PassedRequest& request, NTSTATUS status, Signal& signal)
        REQUIRES(m_lock);
    void note_connected(uint32_t flag, Signal& signal) REQUIRES(m_lock);
    void tell_closed();

    using Handler = NTSTATUS (SocketFile::*)(io::Irp& irp, ULONG_PTR& information);
    struct IoctlRow;
    static const IoctlRow kIoctls[];

    NTSTATUS dispatch(io::Irp& irp, ULONG_PTR& information) override;
    NTSTATUS control(io::Irp& irp, ULONG_PTR& information);
    uint32_t claimed_conditions() const override;
    bool is_busy() const override REQUIRES(m_lock);
    void on_last_handle_closed() override;
    void on_last_reference_dropped() override;

    // The handlers. Buffers are there and have the sizes the table names.

    NTSTATUS create(io::Irp& irp, ULONG_PTR& information);
    /// Becomes a socket with that descriptor, which is closed on failure.
    NTSTATUS become_socket(HostSocket& created, const CreateParams& params, SocketState state,
        uint32_t flags) EXCLUDES(m_lock);
    void change_mode(bool is_nonblocking);
    NTSTATUS get_mode(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS bind(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS listen(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS local_name(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS peer_name(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS connect(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS accept(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS accept_into(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS defer(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS receive_message(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS receive_plain(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS send_message(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS send_with_control(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS read(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS write(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS transmit(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS transmit_view(io::Irp& irp, ULONG_PTR& information);
    /// Sends `middle` between head and tail.
    NTSTATUS transmit_around(
        io::Irp& irp, Transfer& transfer, const TransmitParams& params, const WsaBuf& middle);
    NTSTATUS registered(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS poll(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS event_select(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS get_events(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS shut_down(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS set_nonblocking(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS readable(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS at_mark(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS info(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS complete_async(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS keepalive_values(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS not_supported(io::Irp& irp, ULONG_PTR& information);

    // Options.

    struct OptionRow;
    static const OptionRow kOptions[];
    static const OptionRow* find_option(ULONG code);
    NTSTATUS option(const OptionRow& row, io::Irp& irp, ULONG_PTR& information);
    NTSTATUS get_option(const OptionRow& row, const io::Parameters& parameters, ULONG_PTR& size)
        EXCLUDES(m_lock);
    NTSTATUS set_option(const OptionRow& row, const io::Parameters& parameters) EXCLUDES(m_lock);
    NTSTATUS get_own_option(ULONG code, uint32_t& value) EXCLUDES(m_lock);
    NTSTATUS get_tcp_info(TcpInfo& info) EXCLUDES(m_lock);
    NTSTATUS get_source_filter(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS set_source_filter(io::Irp& irp, ULONG_PTR& information);
    /// Of a stream that others may have changed: what Linux says of it.
    uint32_t flags_on_linux() const REQUIRES(m_lock);
    NTSTATUS set_own_option(ULONG code, uint32_t value) EXCLUDES(m_lock);
    uint32_t take_error() REQUIRES(m_lock);
    NTSTATUS set_receive_ecn(bool is_wanted) REQUIRES(m_lock);
    NTSTATUS set_coalesced_size(uint32_t size) REQUIRES(m_lock);
    NTSTATUS drop_own_groups(bool of_ipv4, bool of_ipv6) REQUIRES(m_lock);

    // Pending.

    /// Puts a request in a queue, the driver's part of it given. Returns STATUS_PENDING, whatever
    /// has become of it already, or an error: it has not been queued.
    NTSTATUS pend(io::Irp& irp, RequestQueue& queue, Completions& done) REQUIRES(m_lock);
    /// The same without a watch: there is one, or the request is served at once.
    void enqueue(io::Irp& irp, RequestQueue& queue, Completions& done) REQUIRES(m_lock);
    static NTSTATUS cancel_queued(io::Irp& irp, ULONG_PTR& information);
    static void expire_queued(io::Irp& irp);
    /// Takes a claimed request off its queue. Returns how it ends that is not served any more.
    static NTSTATUS dequeue(io::Irp& irp, ULONG_PTR& information);
    NTSTATUS status_of_unserved(const io::Irp& irp) const REQUIRES(m_lock);

    /// Complete what can be completed now.
    void serve_transfers(RequestQueue& queue, Completions& done) REQUIRES(m_lock);
    // Datagrams, several in one call. receive_many.cpp

    void serve_burst(Completions& done) REQUIRES(m_lock);
    /// Serves up to `most` receives that want nothing special. True: all of them, so there may be
    /// datagrams for more.
    bool serve_plain_receives(uint32_t most, Completions& done) REQUIRES(m_lock);
    uint32_t claim_plain_receives(io::Irp** claimed, HostSocket::Arrival* arrivals, uint32_t most)
        REQUIRES(m_lock);
    void serve_accepts(Completions& done) REQUIRES(m_lock);
    void serve_connect(Completions& done) REQUIRES(m_lock);
    void serve_polls(Completions& done, const EarlierLook* told = nullptr) REQUIRES(m_lock);
    void refresh_if_recording(Signal& signal) REQUIRES(m_lock);
    /// Looks whether a running connect has ended.
    void settle(Completions& done, Signal& signal) REQUIRES(m_lock);
    bool is_connecting() const { return state() == SocketState::Connecting; }

    // Connecting.

    NTSTATUS connect_datagrams(const Address& address, bool is_dissolving) EXCLUDES(m_lock);
    NTSTATUS connect_stream(io::Irp& irp, const Address& address, const char* path,
        bool is_synchronous) EXCLUDES(m_lock);
    NTSTATUS connect_now(const Address& address, const char* path) REQUIRES(m_lock);
    NTSTATUS check_connect(bool is_synchronous) const REQUIRES(m_lock);

    // Transfers.

    NTSTATUS capture_message(const SendMsgParams& params, Transfer& transfer);
    NTSTATUS capture_control(const uint8_t* given, uint32_t length, Transfer& transfer);
    NTSTATUS tell_control(const Transfer& transfer, const HostSocket::Control& control);
    uint32_t message_flags(const HostSocket::Control& control);
    void tell_destinations();
    NTSTATUS check_receive(const Transfer& transfer) EXCLUDES(m_lock);
    NTSTATUS check_send(Transfer& transfer) EXCLUDES(m_lock);
    NTSTATUS receive(io::Irp& irp, Transfer& transfer, ULONG_PTR& information) EXCLUDES(m_lock);
    NTSTATUS send(io::Irp& irp, Transfer& transfer, ULONG_PTR& information) EXCLUDES(m_lock);
    /// `tried_at`: m_changes as it was before the transfer was tried for nothing. Null: it was not.
    NTSTATUS pend_transfer(io::Irp& irp, Transfer& transfer, RequestQueue& queue,
        const uint32_t* tried_at = nullptr) EXCLUDES(m_lock);
    /// STATUS_DEVICE_NOT_READY: it would have to wait; `information` is what has been done.
    NTSTATUS try_transfer(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS try_receive(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS try_receive_all(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS try_receive_many(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS try_receive_once(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS tell_local(const Transfer& transfer, const HostSocket::Control& control);
    void capture_registered(ntke::RegisteredRequest& request, Transfer& transfer);
    NTSTATUS capture_registered_send(const ntke::RegisteredRequest& request, Transfer& transfer);
    uint32_t send_many(ntke::RegisteredRequest* first);
    NTSTATUS receive_into(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS receive_and_tell(
        Transfer& transfer, const Buffer* buffers, uint32_t count, ULONG_PTR& information);
    NTSTATUS try_send(Transfer& transfer, ULONG_PTR& information);
    NTSTATUS try_receive_nothing(const Transfer& transfer);
    void settle_now() EXCLUDES(m_lock);
    /// Keeps a copy of what a non-blocking send has left over. Returns false: no memory.
    bool put_by(const Transfer& transfer) EXCLUDES(m_lock);
    void serve_backlog() REQUIRES(m_lock);
    void serve_sends(Completions& done) REQUIRES(m_lock);
    bool has_backlog() const { return m_backlog.load(std::memory_order_acquire); }
    /// Must a new send wait for older ones?
    bool has_older_sends() const { return has_backlog() || !m_sends.is_empty(); }
    bool must_linger() EXCLUDES(m_lock);
    bool look_around(uint32_t ready) EXCLUDES(m_lock);

    /// The sends are done: the peer is told that there are no more.
    void end_stream() REQUIRES(m_lock);

    // Accepting.

    NTSTATUS new_connection_file(ob::Ref<SocketFile>& file) EXCLUDES(m_lock);
    bool has_connection() const REQUIRES(m_lock);
    /// Takes the oldest connection of this listener. STATUS_DEVICE_NOT_READY: there is none.
    NTSTATUS take_connection(HostSocket& connection) REQUIRES(m_lock);
    NTSTATUS accept_now(Accept& request, Completions& done) REQUIRES(m_lock);
    /// Makes this socket the end of an accepted connection.
    NTSTATUS become_connection(HostSocket& connection, Completions& done) REQUIRES(m_lock);
    bool is_fresh(int family) const REQUIRES(m_lock);
    NTSTATUS pend_accept(io::Irp& irp, SocketFile& socket) EXCLUDES(m_lock);
    void receive_first_data(io::Irp& irp, Accept& request, Completions& done) EXCLUDES(m_lock);
    static void finish_accept(io::Irp& irp, Request& ended);
    NTSTATUS publish_connection(SocketFile& listener, io::Irp& irp) EXCLUDES(m_lock);
    void drop_deferred() REQUIRES(m_lock);

    // Connecting where the host does it. hosted_connect.cpp

    NTSTATUS connect_on_host(io::Irp& irp) EXCLUDES(m_lock);
    bool connect_ahead(const Address& address, bool is_synchronous) EXCLUDES(m_lock);

    // Accepting where the host does it. hosted_accept.cpp

    NTSTATUS find_acceptor(HANDLE handle, ob::Ref<SocketFile>& socket);
    bool is_taken() EXCLUDES(m_lock);
    /// The oldest request, if there is a connection for it and no other thread accepts. The caller
    /// resets m_is_accepting.
    io::Irp* claim_accept() EXCLUDES(m_lock);
    /// The calling thread is being terminated: the pump of the process is told of connections
    /// again.
    void leave_arrivals_to_pump() EXCLUDES(m_lock);
    bool is_connection_waiting() const REQUIRES(m_lock)
    {
        return !m_is_closing && has_connection();
    }
    void note_accepted_into() REQUIRES(m_lock);
    void wait_for_host_accepts() EXCLUDES(m_lock);

    // Polls and state.

    /// The conditions true now; kPollLocalClose if the last handle is gone. A level. `earlier`
    /// spares Linux the question, if it is still good.
    uint32_t conditions(const EarlierLook* earlier = nullptr) REQUIRES(m_lock);
    /// Those of them that were asked for. `status`: why a connect has failed.
    uint32_t look(uint32_t asked, NTSTATUS* status, const EarlierLook* earlier) EXCLUDES(m_lock);
    /// Can Linux be asked without the lock? Then `look` is given the state the answer is for.
    bool can_look_ahead(EarlierLook& look) const;
    EarlierLook look_from_told(uint32_t ready) const;
    /// May other conditions hold than at the time of this count? Looks after those who hold the
    /// lock.
    bool has_changed_since(uint32_t changes) EXCLUDES(m_lock);
    bool is_served_by_port(const io::Irp& irp) const;
    NTSTATUS watch_for_poll(const io::Irp& irp) REQUIRES(m_lock);
    NTSTATUS link_poll(PollLink& link) EXCLUDES(m_lock);
    void unlink_poll(PollLink& link) EXCLUDES(m_lock);
    void supersede_polls(Completions& done) REQUIRES(m_lock);
    void set_bound() REQUIRES(m_lock);
    NTSTATUS bind_now(const Address& address, const char* path) REQUIRES(m_lock);
    NTSTATUS own_name(Address& address) const REQUIRES(m_lock);
    void add_flags(uint32_t flags) { m_flags.fetch_or(flags, std::memory_order_relaxed); }

    std::atomic<bool> m_is_created { false };
    std::atomic<bool> m_has_descriptor { false }; // hosted: m_socket is open
    std::atomic<bool> m_is_left_to_host { false };
    std::atomic<uint32_t> m_requests_on_host { 0 }; // those that pended stay in it
    std::atomic<uint32_t> m_sends_on_host { 0 };
    std::atomic<bool> m_is_accepting { false }; // listener: the host accepts for a request of ours
    std::atomic<bool> m_is_accepted_into { false }; // a connection of such a request
    std::atomic<bool> m_is_connecting_ahead { false }; // Linux has connected, or is about to
    std::atomic<bool> m_owner_closes { false };
    bool m_has_unseen_past = false; // of another process, say; written before m_is_created
    uint64_t m_serial = 0; // its owner's; written before m_is_created
    std::atomic<bool> m_is_nonblocking { false };
    std::atomic<bool> m_is_nonblocking_on_host { false };
    uint32_t m_connects_made GUARDED_BY(m_lock) = 0; // by the host, as far as noted
    uint32_t m_shut_down_on_host GUARDED_BY(m_lock) = 0; // SocketFlags, of requests that are done
    ke::Lock m_selection_lock;
    HostedRecord m_hosted_record; // is_kept is read without the lock
    std::atomic<uint32_t> m_mask_on_host { 0 };
    std::atomic<uint32_t> m_uses { 1 }; // 1 while there are handles

    // Their heads are read without the lock.
    RequestQueue m_receives;
    RequestQueue m_urgent_receives;
    RequestQueue m_sends;
    RequestQueue m_accepts;
    RequestQueue m_connects; // one at most
    /// What non-blocking sends have been told is sent: the socket takes more than Linux does at
    /// once, as Windows' does. Older than the pending sends. [afd/46]
    std::atomic<Transfer*> m_backlog { nullptr };

    bool m_is_ending GUARDED_BY(m_lock) = false; // shut down, with sends on their way
    bool m_is_lingering GUARDED_BY(m_lock) = false; // closed, with a backlog
    bool m_is_closing GUARDED_BY(m_lock) = false; // the last handle is gone
    PollLink* m_first_poll GUARDED_BY(m_lock) = nullptr;
    /// The request that accepts into this socket.
    io::Irp* m_accept_irp GUARDED_BY(m_lock) = nullptr;
    int64_t m_connect_time GUARDED_BY(m_lock) = 0; // ke::interrupt_time()
    Address m_peer GUARDED_BY(m_lock);
    Address m_local GUARDED_BY(m_lock); // AF_UNIX, as the program calls it

    struct Options {
        uint32_t receive_buffer = 0x10000; // bytes; 0x10000 is what Windows starts with
        uint32_t send_buffer = 0x10000;
        uint32_t receive_timeout = 0; // milliseconds, 0: none
        uint32_t send_timeout = 0;
        uint32_t reuse_address = 0;
        uint32_t exclusive_address = 0;
        uint32_t coalesced_size = 0; // bytes of a receive, 0: one datagram
        bool drops_own_groups = false; // IP_MULTICAST_LOOP is off [setsockopt/25]
        bool drops_own_ipv6_groups = false;
    } m_options GUARDED_BY(m_lock);

    // What receives tell of messages. [WSASendMsg/14] [WSASendMsg/16]
    std::atomic<bool> m_tells_destinations { false };
    std::atomic<bool> m_wants_ecn { false };
    std::atomic<bool> m_wants_class { true }; // what Linux tells of it, without m_wants_ecn
    /// The last destination that was no broadcast, and the last one that was: asking is dear.
    std::atomic<uint32_t> m_own_destination { 0 };
    std::atomic<uint32_t> m_broadcast_destination { 0 };

    /// Connections that were accepted and pushed back, oldest first.
    struct Deferred;
    Deferred* m_first_deferred GUARDED_BY(m_lock) = nullptr;
};
static_assert(sizeof(SocketFile) <= 1024); // README.md, Memory

/// Keeps a socket's descriptor open for the length of a block.
class SocketUse {
public:
    explicit SocketUse(SocketFile& file)
        : m_file(file)
        , m_is_valid(file.begin_use())
    {
    }
    ~SocketUse()
    {
        if (m_is_valid)
            m_file.end_use();
    }
    SocketUse(const SocketUse&) = delete;
    bool is_valid() const { return m_is_valid; }

private:
    SocketFile& m_file;
    const bool m_is_valid;
};

/// The parameter block of a request. The caller's memory is read once, whatever its alignment.
template <typename T> T input_of(const io::Irp& irp)
{
    T params;
    memcpy(&params, irp.parameters().input, sizeof(params));
    return params;
}

/// The parameters of an event selection, whatever the caller's pointers are. False: too short.
bool read_event_select(const void* input, size_t length, EventSelectParams& params);
/// Reads an address of the caller. Errors: STATUS_INVALID_ADDRESS (unknown family, or shorter than
/// its family wants).
NTSTATUS capture_address(const void* bytes, size_t length, Address& address);
/// Is this an IPv4 address in IPv6's form?
bool is_mapped(const Address& address);
/// The path of Linux behind an AF_UNIX address of the caller; null: there is none.
const char* path_behind(const void* bytes, size_t length, const Address& address);
/// Bytes of an address of this family; 0: unknown.
uint32_t address_size(uint16_t family);

} // namespace afd
