// AcceptEx where the host accepts: the request waits here, as long as there is no connection.
#include <cstring>

#include "afd/accept.h"
#include "io/undertaking.h"
#include "ke/backoff.h"
#include "ke/time.h"
#include "nt/caller.h"
#include "ob/handle_table.h"

namespace afd {

SocketFile::AcceptByHost* SocketFile::accept_by_host = nullptr;

namespace {

/// What was opened with this handle, a socket or not yet; null: something else.
ob::Ref<SocketFile> find_hosted(HANDLE handle)
{
    ob::Ref<io::File> file;
    ob::HandleTable::current().reference(handle, 0, file);
    return ob::Ref<SocketFile>::share(file ? SocketFile::from(*file) : nullptr);
}

} // namespace

/// A listener whose connections the host gives to nobody else, and a socket that nothing is known
/// of but its handle: its descriptor will be another one.
bool SocketFile::serves_accept(const io::Parameters& parameters)
{
    AcceptIntoParams params;
    if (nt::is_wow64() || parameters.input_length != sizeof(params))
        return false; // the host would write a status block of the program
    memcpy(&params, parameters.input, sizeof(params));
    const auto acceptor = find_hosted(reinterpret_cast<HANDLE>(uintptr_t { params.acceptor }));
    if (!acceptor || acceptor.get() == this)
        return false;
    if (acceptor->is_taken())
        return true; // to be refused
    const bool has_usual_handles = handle_count() == 1 && acceptor->handle_count() == 1;
    return !params.receive_length && has_usual_handles && !acceptor->has_descriptor()
        && !acceptor->is_left_to_host() && m_is_created.load(std::memory_order_acquire)
        && !is_left_to_host() && state() == SocketState::Listening && !may_have_requests_on_host()
        && NT_SUCCESS(open_descriptor());
}

bool SocketFile::serves_connect_time(const io::Parameters&)
{
    return m_is_accepted_into.load(std::memory_order_acquire);
}

bool SocketFile::is_taken()
{
    ke::LockGuard guard(m_lock);
    return m_accept_irp;
}

/// The acceptor of a request. Errors: by_handle's.
NTSTATUS SocketFile::find_acceptor(HANDLE handle, ob::Ref<SocketFile>& socket)
{
    if (!is_of_host())
        return by_handle(handle, socket);
    socket = find_hosted(handle);
    return socket ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
}

void SocketFile::accept_on_host()
{
    if (m_accepts.is_empty())
        return;
    const io::Undertaking undertaking;
    if (!undertaking)
        return leave_arrivals_to_pump();
    while (io::Irp* irp = claim_accept()) {
        auto& request = static_cast<Accept&>(Request::of(*irp));
        NTSTATUS status = STATUS_BUFFER_TOO_SMALL; // the connection stays for one who has room
        if (request.has_room(m_family))
            status = accept_by_host(m_host_handle, request.socket->m_host_handle, request.accepted);
        bool is_over = status != STATUS_DEVICE_NOT_READY;
        {
            ke::LockGuard guard(m_lock);
            if (!is_over && !irp->unclaim()) {
                status = STATUS_CANCELLED;
                is_over = true;
            }
            if (is_over)
                m_accepts.remove(*irp);
        }
        if (is_over)
            complete_request(*irp, status, 0);
        m_is_accepting.store(false, std::memory_order_seq_cst);
    }
}

void SocketFile::leave_arrivals_to_pump()
{
    ke::LockGuard guard(m_lock);
    if (!m_is_watched) {
        static_cast<void>(watch());
        return;
    }
    m_is_muted = false;
    watcher().unmute(*this); // is told of it again
}

void SocketFile::accept_older_on_host()
{
    if (m_accepts.is_empty())
        return;
    accept_on_host();
    wait_for_host_accepts();
}

io::Irp* SocketFile::claim_accept()
{
    while (!m_accepts.is_empty() && !m_is_accepting.exchange(true, std::memory_order_seq_cst)) {
        bool was_there;
        {
            ke::LockGuard guard(m_lock);
            was_there = is_connection_waiting();
            io::Irp* irp = was_there ? m_accepts.first() : nullptr;
            while (irp && !irp->claim())
                irp = irp->driver.next; // a canceller has it and will take it off
            if (irp)
                return irp;
        }
        m_is_accepting.store(false, std::memory_order_seq_cst);
        // Who was told of a connection meanwhile has left it to this thread.
        ke::LockGuard guard(m_lock);
        if (was_there || !is_connection_waiting())
            break;
    }
    return nullptr;
}

/// The socket is a connection on the host.
void SocketFile::note_accepted_into()
{
    m_connect_time = ke::interrupt_time();
    m_state.store(SocketState::Connected, std::memory_order_release);
    m_is_accepted_into.store(true, std::memory_order_release);
}

/// The host may be using our handle for a request of ours. That takes no longer than the host takes
/// to accept; a thread that was suspended meanwhile is not waited for.
void SocketFile::wait_for_host_accepts()
{
    constexpr int64_t kPatience = 1'000'000; // a tenth of a second
    ke::await([this] { return !m_is_accepting.load(std::memory_order_seq_cst) && !is_taken(); },
        kPatience);
}

} // namespace afd
