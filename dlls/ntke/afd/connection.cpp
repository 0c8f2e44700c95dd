// Connections of a listener, and the sockets they become.
#include "afd/pump.h"
#include "afd/socket_file.h"
#include "ke/pool.h"
#include "ke/time.h"

namespace afd {

namespace {

constexpr int kLevelSocket = 1; // Linux: SOL_SOCKET
constexpr int kReuseAddress = 2; // Linux: SO_REUSEADDR

} // namespace

/// A connection that was accepted and pushed back.
struct SocketFile::Deferred {
    HostSocket connection;
    Deferred* next = nullptr;
};

bool SocketFile::has_connection() const
{
    return m_first_deferred || (m_socket.ready_now() & kReadyIn);
}

NTSTATUS SocketFile::take_connection(HostSocket& connection)
{
    if (Deferred* deferred = m_first_deferred) {
        m_first_deferred = deferred->next;
        connection.adopt(deferred->connection.descriptor());
        ke::pool_delete(deferred);
        return STATUS_SUCCESS;
    }
    const NTSTATUS status = m_socket.accept(connection, nullptr);
    if (NT_SUCCESS(status)) {
        ++m_connections_accepted;
        m_record.re_enable(kPollAccept); // the caller looks for the next one [WSAEventSelect/24]
    }
    return status;
}

NTSTATUS SocketFile::become_connection(HostSocket& connection, Completions& done)
{
    if (m_is_closing) {
        connection.close();
        return STATUS_CANCELLED;
    }
    const int on = 1; // see bind_stream
    connection.set_option(kLevelSocket, kReuseAddress, &on, sizeof(on));
    if (m_socket.is_open()) {
        if (is_own())
            m_socket.lead_to(connection);
        m_socket.replace_with(connection);
        if (is_own())
            tell_mode();
        if (m_is_watched) {
            m_is_muted = false;
            watcher().watch_again(*this);
        }
        if (m_watched_by_port != PortWatch::None) {
            m_port_pump.load(std::memory_order_relaxed)->watch_again(*this);
            m_watched_by_port = PortWatch::Everything;
        }
    } else {
        m_socket.adopt(connection.descriptor());
    }
    m_socket.peer_name(m_peer);
    m_connect_time = ke::interrupt_time();
    set_bound();
    Signal signal;
    enter_state(SocketState::Connected, STATUS_SUCCESS, 0, signal);
    serve_polls(done);
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::new_connection_file(ob::Ref<SocketFile>& file)
{
    file = ob::Ref<SocketFile>::adopt(ke::pool_new<SocketFile>(mode()));
    if (!file)
        return STATUS_NO_MEMORY;
    file->m_family = m_family;
    file->m_type = m_type;
    file->m_protocol = m_protocol;
    file->m_is_nonblocking = m_is_nonblocking.load();
    file->m_is_own = is_own();
    file->m_has_descriptor = true;
    file->m_is_created = true;
    file->add_flags(m_flags.load(std::memory_order_relaxed) & ntke::kSocketOobInline);
    Options options;
    {
        ke::LockGuard guard(m_lock);
        options = m_options;
    }
    ke::LockGuard guard(file->m_lock);
    file->m_options = options;
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::defer(io::Irp& irp, ULONG_PTR&)
{
    if (state() != SocketState::Listening)
        return STATUS_INVALID_PARAMETER;
    const HANDLE handle = reinterpret_cast<HANDLE>(uintptr_t { input_of<ULONG>(irp) });
    ob::Ref<SocketFile> accepted;
    if (const NTSTATUS status = by_handle(handle, accepted); !NT_SUCCESS(status))
        return status;
    const SocketUse use(*accepted);
    if (!use.is_valid() || accepted->state() != SocketState::Connected)
        return STATUS_INVALID_PARAMETER;
    auto* deferred = ke::pool_new<Deferred>();
    if (!deferred)
        return STATUS_NO_MEMORY;
    if (const NTSTATUS status = deferred->connection.share(accepted->socket());
        !NT_SUCCESS(status)) {
        ke::pool_delete(deferred);
        return status;
    }
    Completions done;
    ke::LockGuard guard(m_lock);
    Deferred** last = &m_first_deferred;
    while (*last)
        last = &(*last)->next;
    *last = deferred;
    serve_accepts(done);
    serve_polls(done);
    return STATUS_SUCCESS;
}

void SocketFile::drop_deferred()
{
    while (Deferred* deferred = m_first_deferred) {
        m_first_deferred = deferred->next;
        deferred->connection.close();
        ke::pool_delete(deferred);
    }
}

} // namespace afd
