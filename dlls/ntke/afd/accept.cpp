// The requests that accept connections.
#include "afd/accept.h"

#include "ke/user_memory.h"
#include "ob/handle_table.h"

namespace afd {

namespace {

constexpr ACCESS_MASK kAccess = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE;

/// Room an address block must have besides the address: as little as Windows is content with; the
/// documented 16 bytes are more. Wine's blocks, which these are, need 4; Go has 6 for AF_UNIX.
constexpr uint32_t kBlockOverhead = 10;
constexpr uint32_t kUnixBlockOverhead = sizeof(int32_t);

/// Writes an address block: its length, then the address.
void write_block(uint8_t* block, uint32_t room, const Address& address)
{
    if (room < sizeof(int32_t) + address.length)
        return;
    ke::write_user(block, &address.length, sizeof(int32_t));
    ke::write_user(block + sizeof(int32_t), address.bytes, address.length);
}

} // namespace

bool Accept::has_room(int family) const
{
    if (!is_into)
        return true;
    const uint32_t needed = address_size(static_cast<uint16_t>(family))
        + (family == kFamilyUnix ? kUnixBlockOverhead : kBlockOverhead);
    // No local address wanted is fine; too little room for one is not. [AcceptEx/13]
    return (!local_length || local_length >= needed) && remote_length >= needed;
}

NTSTATUS SocketFile::accept(io::Irp& irp, ULONG_PTR& information)
{
    if (irp.parameters().output_length != sizeof(ULONG))
        return STATUS_BUFFER_TOO_SMALL;
    if (state() != SocketState::Listening)
        return STATUS_INVALID_PARAMETER;
    auto* request = ke::pool_new<Accept>();
    if (!request)
        return STATUS_NO_MEMORY;
    Request::give(irp, request);
    request->finish = finish_accept;
    if (const NTSTATUS status = new_connection_file(request->socket); !NT_SUCCESS(status))
        return status;
    {
        Completions done;
        Signal signal;
        ke::LockGuard guard(m_lock);
        serve_accepts(done); // older ones first
        request->status = STATUS_DEVICE_NOT_READY;
        if (m_accepts.is_empty())
            request->status = accept_now(*request, done);
        if (request->status == STATUS_DEVICE_NOT_READY) {
            if (m_is_nonblocking.load(std::memory_order_relaxed))
                return STATUS_DEVICE_NOT_READY;
            const NTSTATUS status = pend(irp, m_accepts, done);
            if (NT_SUCCESS(status))
                serve_accepts(done);
            return status;
        }
        refresh_if_recording(signal);
    }
    finish_accept(irp, *request);
    information = request->information;
    return request->status;
}

/// Makes the oldest connection that of the request's socket.
NTSTATUS SocketFile::accept_now(Accept& request, Completions& done)
{
    HostSocket connection;
    const NTSTATUS status = take_connection(connection);
    if (!NT_SUCCESS(status))
        return status;
    SocketFile& socket = *request.socket;
    ke::LockGuard guard(socket.m_lock);
    socket.m_local = m_local;
    return socket.become_connection(connection, done);
}

NTSTATUS SocketFile::accept_into(io::Irp& irp, ULONG_PTR&)
{
    constexpr uint32_t kLeastRemote = 4;
    const auto params = input_of<AcceptIntoParams>(irp);
    const uint64_t output_length = irp.parameters().output_length;
    const uint64_t before_remote = uint64_t { params.receive_length } + params.local_length;
    if (irp.parameters().input_length != sizeof(params) || before_remote > output_length)
        return STATUS_BUFFER_TOO_SMALL;
    if (output_length - before_remote < kLeastRemote)
        return STATUS_INVALID_PARAMETER;
    auto* request = ke::pool_new<Accept>();
    if (!request)
        return STATUS_NO_MEMORY;
    Request::give(irp, request);
    request->finish = finish_accept;
    request->is_into = true;
    request->set_buffer(irp.parameters().output, params.receive_length);
    request->local_length = params.local_length;
    request->remote_length = static_cast<uint32_t>(output_length - before_remote);
    if (const NTSTATUS status
        = find_acceptor(reinterpret_cast<HANDLE>(uintptr_t { params.acceptor }), request->socket);
        !NT_SUCCESS(status))
        return status;
    if (state() != SocketState::Listening)
        return STATUS_INVALID_PARAMETER; // [AcceptEx/2]
    const NTSTATUS status = pend_accept(irp, *request->socket);
    if (is_of_host() && NT_SUCCESS(status))
        accept_on_host();
    return status;
}

/// Can a connection be accepted into this socket, of a listener of this family? What is hosted is
/// for the host to say.
bool SocketFile::is_fresh(int family) const
{
    if (m_accept_irp || m_is_closing)
        return false;
    return is_of_host()
        || (is_stream() && state() == SocketState::Unconnected && !has(ntke::kSocketBound)
            && m_family == family);
}

NTSTATUS SocketFile::pend_accept(io::Irp& irp, SocketFile& socket)
{
    Completions done;
    Signal signal;
    ke::LockGuard guard(m_lock);
    if (&socket == this)
        return STATUS_INVALID_PARAMETER;
    {
        ke::LockGuard socket_guard(socket.m_lock);
        if (!socket.is_fresh(m_family))
            return STATUS_INVALID_PARAMETER; // [AcceptEx/7]
        socket.m_accept_irp = &irp;
    }
    const NTSTATUS status = pend(irp, m_accepts, done);
    bool is_gone;
    {
        ke::LockGuard socket_guard(socket.m_lock);
        is_gone = socket.m_is_closing;
        if (!NT_SUCCESS(status))
            socket.m_accept_irp = nullptr;
    }
    if (!NT_SUCCESS(status))
        return status;
    // Closed before there was a request to cancel.
    if (is_gone && irp.claim()) {
        m_accepts.remove(irp);
        done.add(irp, STATUS_CANCELLED, 0);
    }
    serve_accepts(done);
    refresh_if_recording(signal);
    return status;
}

void SocketFile::serve_accepts(Completions& done)
{
    if (is_of_host())
        return; // accept_on_host, without a lock
    io::Irp* next;
    for (io::Irp* irp = m_accepts.first(); irp && has_connection(); irp = next) {
        next = irp->driver.next;
        if (!irp->claim())
            continue; // a canceller has it and will take it off
        auto& request = static_cast<Accept&>(Request::of(*irp));
        // The connection stays for one who has room.
        NTSTATUS status
            = request.has_room(m_family) ? accept_now(request, done) : STATUS_BUFFER_TOO_SMALL;
        if (status == STATUS_DEVICE_NOT_READY) {
            if (irp->unclaim())
                return;
            status = STATUS_CANCELLED;
        }
        m_accepts.remove(*irp);
        if (NT_SUCCESS(status) && request.total)
            request.socket->receive_first_data(*irp, request, done);
        else
            done.add(*irp, status, 0);
    }
}

/// An accepting request waits here, at the socket it has accepted into, for the first data. It is
/// claimed and in no queue; the listener's lock is held.
void SocketFile::receive_first_data(io::Irp& irp, Accept& request, Completions& done)
{
    ke::LockGuard guard(m_lock);
    NTSTATUS status = m_is_closing ? STATUS_CANCELLED : watch();
    if (NT_SUCCESS(status)) {
        m_receives.push(irp);
        request.owner = this;
        request.queue = &m_receives;
        if (irp.unclaim()) {
            serve_transfers(m_receives, done);
            return;
        }
        m_receives.remove(irp);
        status = STATUS_CANCELLED;
    }
    done.add(irp, status, 0);
}

/// The end of an accept, told by nobody yet.
void SocketFile::finish_accept(io::Irp& irp, Request& ended)
{
    auto& request = static_cast<Accept&>(ended);
    SocketFile& socket = *request.socket;
    if (!request.is_into) {
        if (NT_SUCCESS(request.status))
            request.status = socket.publish_connection(static_cast<SocketFile&>(irp.file()), irp);
        request.information = NT_SUCCESS(request.status) ? sizeof(ULONG) : 0;
        return;
    }
    ke::LockGuard guard(socket.m_lock);
    socket.m_accept_irp = nullptr;
    if (!NT_SUCCESS(request.status) || socket.m_is_closed)
        return;
    Address local = request.accepted.local;
    Address remote = request.accepted.remote;
    if (socket.is_of_host()) {
        socket.note_accepted_into();
    } else {
        socket.own_name(local);
        remote = socket.m_peer;
    }
    auto* block = static_cast<uint8_t*>(irp.parameters().output) + request.total;
    write_block(block, request.local_length, local);
    write_block(block + request.local_length, request.remote_length, remote);
}

/// Gives an accepted connection its handle.
NTSTATUS SocketFile::publish_connection(SocketFile& listener, io::Irp& irp)
{
    HANDLE handle = nullptr;
    const NTSTATUS status = is_own()
        ? publish_own(*this, handle)
        : ob::HandleTable::current().insert(
            *this, object_type().map_access(kAccess), ob::kHandleInherit, &handle);
    if (!NT_SUCCESS(status)) {
        close_socket();
        return status;
    }
    if (!is_own())
        inherit_selection(listener); // else its owner attaches it, with that
    const auto value = static_cast<ULONG>(reinterpret_cast<uintptr_t>(handle));
    memcpy(irp.parameters().output, &value, sizeof(value));
    return STATUS_SUCCESS;
}

} // namespace afd
