#include "afd/poll.h"

#include <algorithm>

#include <poll.h>

#include "ke/pool.h"
#include "ke/user_memory.h"
#include "nt/caller.h"

namespace afd {

// --- The program's entries

size_t entry_size()
{
    return nt::is_wow64() ? sizeof(PollEntry32) : sizeof(PollEntry);
}

bool read_entry(PollEntry& entry, const uint8_t* bytes)
{
    if (!nt::is_wow64()) [[likely]]
        return ke::read_user(&entry, bytes, sizeof(entry));
    PollEntry32 of_program;
    if (!ke::read_user(&of_program, bytes, sizeof(of_program)))
        return false;
    entry = { of_program.socket, of_program.flags, of_program.status };
    return true;
}

static void write_entry(uint8_t* bytes, const PollEntry& entry)
{
    if (!nt::is_wow64()) [[likely]] {
        ke::write_user(bytes, &entry, sizeof(entry));
        return;
    }
    const PollEntry32 of_program { static_cast<uint32_t>(entry.socket), entry.flags, entry.status };
    ke::write_user(bytes, &of_program, sizeof(of_program));
}

// --- A socket's side

/// A stream that is being connected changes its state on the host only.
bool SocketFile::can_be_polled()
{
    if (is_own())
        return true;
    return m_is_created.load(std::memory_order_acquire)
        && !m_is_left_to_host.load(std::memory_order_acquire)
        && (can_transfer() || state() == SocketState::Listening) && NT_SUCCESS(open_descriptor());
}

/// How many entries there are behind the header. 0: also if they cannot all be there.
static uint32_t count_entries(const void* poll, ULONG length)
{
    PollHeader header;
    if (length < sizeof(header))
        return 0;
    memcpy(&header, poll, sizeof(header));
    return (length - sizeof(header)) / entry_size() < header.count ? 0 : header.count;
}

bool SocketFile::name_other_in_poll(void* poll, ULONG length, uint64_t other)
{
    auto* bytes = static_cast<uint8_t*>(poll) + sizeof(PollHeader);
    bool is_any = false;
    for (uint32_t left = count_entries(poll, length); left; --left, bytes += entry_size()) {
        PollEntry entry;
        ob::Ref<SocketFile> socket;
        if (!read_entry(entry, bytes)
            || !NT_SUCCESS(by_handle(reinterpret_cast<HANDLE>(entry.socket), socket))
            || !socket->is_own())
            continue;
        entry.socket = other;
        write_entry(bytes, entry);
        is_any = true;
    }
    return is_any;
}

/// A poll is served when all of its sockets are.
bool SocketFile::serves_poll(const io::Parameters& parameters)
{
    const uint32_t count = count_entries(parameters.input, parameters.input_length);
    if (!count || mode() != Mode::Asynchronous)
        return false;
    const auto* entries = static_cast<const uint8_t*>(parameters.input) + sizeof(PollHeader);
    for (uint32_t i = 0; i < count; ++i) {
        PollEntry entry;
        ob::Ref<SocketFile> socket;
        if (!read_entry(entry, entries + i * entry_size())
            || !NT_SUCCESS(by_handle(reinterpret_cast<HANDLE>(entry.socket), socket))
            || !socket->can_be_polled())
            return false;
    }
    return true;
}

uint32_t SocketFile::conditions(const EarlierLook* earlier)
{
    if (m_is_closing)
        return kPollLocalClose;
    const bool is_known = earlier && earlier->is_valid && earlier->state == state();
    const uint32_t ready = is_known ? earlier->ready : m_socket.ready_now();
    const uint32_t now = conditions_from_ready(ready) & ~claimed_conditions();
    return m_first_deferred ? now | kPollAccept : now;
}

uint32_t SocketFile::look(uint32_t asked, NTSTATUS* status, const EarlierLook* earlier)
{
    settle_now();
    ke::LockGuard guard(m_lock);
    const uint32_t now = conditions(earlier);
    *status = now & kPollConnectFail ? m_connect_status : STATUS_SUCCESS;
    return now & (asked | kPollLocalClose);
}

/// In these states the descriptor stays the socket it is, and what nobody has claimed was there for
/// everybody.
bool SocketFile::can_look_ahead(EarlierLook& look) const
{
    look.state = state();
    return (can_transfer() || look.state == SocketState::Listening) && !claimed_conditions();
}

bool SocketFile::has_changed_since(uint32_t changes)
{
    ke::LockGuard guard(m_lock);
    return m_changes.load(std::memory_order_relaxed) != changes;
}

/// Called after each change. `told`: what Linux has said of it.
void SocketFile::serve_polls(Completions& done, const EarlierLook* told)
{
    m_changes.fetch_add(1, std::memory_order_relaxed);
    if (!m_first_poll)
        return;
    const uint32_t now = conditions(told);
    for (PollLink* link = m_first_poll; link; link = link->next) {
        const uint32_t found = now & (link->asked | kPollLocalClose);
        // Who cannot be claimed is ending already, or not pending yet and will look itself.
        if (found && link->poll->irp->claim()) {
            link->find(found, now & kPollConnectFail ? m_connect_status : STATUS_SUCCESS);
            done.add(*link->poll->irp, STATUS_SUCCESS, 0);
        }
    }
}

/// A new exclusive poll ends the earlier one of the same socket.
void SocketFile::supersede_polls(Completions& done)
{
    for (PollLink* link = m_first_poll; link; link = link->next) {
        if (link->poll->is_exclusive && link->poll->irp->claim()) {
            link->poll->is_superseded = true;
            done.add(*link->poll->irp, STATUS_SUCCESS, 0);
        }
    }
}

/// The file of the poll's handle tells which port looks after its sockets.
NTSTATUS SocketFile::watch_for_poll(const io::Irp& irp)
{
    SocketFile& polled = *from(irp.file());
    if (polled.is_served_by_port(irp) && !m_port_queue.load(std::memory_order_relaxed))
        use_port(ob::Ref<io::CompletionQueue>::share(
                     polled.m_port_queue.load(std::memory_order_relaxed)),
            *polled.m_port.load(std::memory_order_relaxed),
            *polled.m_port_pump.load(std::memory_order_relaxed));
    if (!is_served_by_port(irp) || !NT_SUCCESS(watch_by_port(PortWatch::Everything)))
        return watch();
    Absence::instance().expect(*m_port.load(std::memory_order_relaxed));
    return STATUS_SUCCESS;
}

NTSTATUS SocketFile::link_poll(PollLink& link)
{
    Completions done;
    ke::LockGuard guard(m_lock);
    if (!m_is_closing) {
        if (const NTSTATUS status = watch_for_poll(*link.poll->irp); !NT_SUCCESS(status))
            return status;
    }
    if (link.poll->is_exclusive)
        supersede_polls(done);
    link.next = m_first_poll;
    if (m_first_poll)
        m_first_poll->previous = &link;
    m_first_poll = &link;
    link.is_linked = true;
    return STATUS_SUCCESS;
}

void SocketFile::unlink_poll(PollLink& link)
{
    ke::LockGuard guard(m_lock);
    if (!link.is_linked)
        return;
    (link.previous ? link.previous->next : m_first_poll) = link.next;
    if (link.next)
        link.next->previous = link.previous;
    link.is_linked = false;
}

NTSTATUS SocketFile::poll(io::Irp& irp, ULONG_PTR& information)
{
    const auto header = input_of<PollHeader>(irp);
    const io::Parameters& parameters = irp.parameters();
    const uint64_t needed = sizeof(header) + uint64_t { header.count } * entry_size();
    if (!header.count || parameters.input_length < needed
        || parameters.output_length < parameters.input_length)
        return STATUS_INVALID_PARAMETER;
    Poll* poll = Poll::create(irp, header.count);
    if (!poll)
        return STATUS_NO_MEMORY;
    poll->header = header;
    poll->is_exclusive = header.exclusive != 0;
    const auto* entries = static_cast<const uint8_t*>(parameters.input) + sizeof(header);
    if (const NTSTATUS status = poll->capture_entries(entries); !NT_SUCCESS(status))
        return status;

    if (poll->collect() || !header.timeout) {
        information = poll->write_result();
        return STATUS_SUCCESS;
    }
    LARGE_INTEGER timeout;
    timeout.QuadPart = header.timeout;
    return poll->pend(header.timeout == kPollForever ? ke::DueTime::never()
                                                     : ke::DueTime::from_timeout(&timeout));
}

// --- A poll's side

Poll* Poll::create(io::Irp& irp, uint32_t count)
{
    auto* poll = ke::pool_new<Poll>();
    if (!poll)
        return nullptr;
    Request::give(irp, poll);
    void* memory = ke::pool_allocate(size_t { count } * sizeof(PollLink));
    if (!memory)
        return nullptr;
    poll->links = static_cast<PollLink*>(memory);
    poll->irp = &irp;
    for (; poll->count < count; ++poll->count)
        (new (&poll->links[poll->count]) PollLink)->poll = poll;
    return poll;
}

Poll::~Poll()
{
    for (uint32_t i = 0; i < count; ++i)
        links[i].~PollLink();
    ke::pool_free(links);
}

NTSTATUS Poll::capture_entries(const uint8_t* bytes)
{
    for (uint32_t i = 0; i < count; ++i) {
        PollEntry entry;
        if (!read_entry(entry, bytes + i * entry_size()))
            return STATUS_ACCESS_VIOLATION;
        links[i].handle = entry.socket;
        links[i].asked = static_cast<uint32_t>(entry.flags);
        const NTSTATUS status
            = SocketFile::by_handle(reinterpret_cast<HANDLE>(entry.socket), links[i].socket);
        if (!NT_SUCCESS(status))
            return status;
        links[i].changes = links[i].socket->changes();
    }
    return STATUS_SUCCESS;
}

/// Asks Linux about several sockets at once. What it says may be old by the time it is used, and
/// still is what was true during the call.
void Poll::look_ahead(uint32_t first, uint32_t looks_count, EarlierLook* looks) const
{
    pollfd fds[kLooksAtOnce];
    bool is_used[kLooksAtOnce];
    for (uint32_t i = 0; i < looks_count; ++i) {
        SocketFile& socket = *links[first + i].socket;
        is_used[i] = socket.begin_use();
        looks[i].is_valid = is_used[i] && socket.can_look_ahead(looks[i]);
        fds[i] = { looks[i].is_valid ? socket.socket().descriptor() : -1,
            HostSocket::poll_events_from_ready(HostSocket::kAllReady), 0 };
    }
    const bool is_any_ready = HostSocket::poll_many(fds, looks_count, 0) > 0;
    for (uint32_t i = 0; i < looks_count; ++i) {
        looks[i].ready = is_any_ready ? HostSocket::ready_from_poll_events(fds[i].revents) : 0;
        if (is_used[i])
            links[first + i].socket->end_use();
    }
}

/// Calls `see(link, conditions, status)` for each entry, until it returns false.
template <typename See> void Poll::look_at_all(See see) const
{
    for (uint32_t first = 0; first < count; first += kLooksAtOnce) {
        EarlierLook looks[kLooksAtOnce];
        const uint32_t some = std::min(kLooksAtOnce, count - first);
        look_ahead(first, some, looks);
        for (uint32_t i = 0; i < some; ++i) {
            PollLink& link = links[first + i];
            NTSTATUS status;
            const uint32_t found = link.socket->look(link.asked, &status, &looks[i]);
            if (!see(link, found, status))
                return;
        }
    }
}

PollLink* Poll::find_ready(uint32_t* found, NTSTATUS* why) const
{
    PollLink* ready = nullptr;
    look_at_all([&](PollLink& link, uint32_t conditions, NTSTATUS status) {
        if (conditions) {
            ready = &link;
            *found = conditions;
            *why = status;
        }
        return !ready;
    });
    return ready;
}

bool Poll::has_any_changed() const
{
    return std::any_of(links, links + count,
        [](const PollLink& link) { return link.socket->has_changed_since(link.changes); });
}

bool Poll::collect()
{
    bool is_any_found = false;
    look_at_all([&](PollLink& link, uint32_t conditions, NTSTATUS status) {
        link.find(conditions, status);
        is_any_found |= link.found != 0;
        return true;
    });
    return is_any_found;
}

ULONG_PTR Poll::write_result() const
{
    auto* output = static_cast<uint8_t*>(irp->parameters().output);
    PollHeader result = header;
    result.count = 0;
    uint8_t* position = output + sizeof(header);
    for (uint32_t i = 0; i < count; ++i) {
        if (!links[i].found)
            continue;
        write_entry(
            position, { links[i].handle, static_cast<int32_t>(links[i].found), links[i].status });
        position += entry_size();
        ++result.count;
    }
    ke::write_user(output, &result, sizeof(result));
    return static_cast<ULONG_PTR>(position - output);
}

/// The request is claimed by this call while the entries are being linked: what happens to a socket
/// meanwhile cannot end it, so a last look comes after, if something has happened.
NTSTATUS Poll::pend(const ke::DueTime& due)
{
    finish = finish_poll;
    timer.irp = irp;
    timer.expired = expire;
    irp->prepare_to_pend();
    irp->pend(cancel);
    if (!irp->claim())
        return STATUS_PENDING; // cancelled at once
    for (uint32_t i = 0; i < count; ++i) {
        const NTSTATUS status = links[i].socket->link_poll(links[i]);
        if (!NT_SUCCESS(status)) {
            complete_request(*irp, status, 0);
            return STATUS_PENDING;
        }
    }
    if (!due.is_never())
        TimerList::instance().start(timer, due);
    if (!irp->unclaim()) {
        complete_request(*irp, STATUS_CANCELLED, 0);
        return STATUS_PENDING;
    }
    if (!has_any_changed())
        return STATUS_PENDING;
    uint32_t found;
    NTSTATUS why;
    if (PollLink* ready = find_ready(&found, &why); ready && irp->claim()) {
        ready->find(found, why);
        complete_request(*irp, STATUS_SUCCESS, 0);
    }
    return STATUS_PENDING;
}

void Poll::finish_poll(io::Irp&, Request& request)
{
    auto& poll = static_cast<Poll&>(request);
    for (uint32_t i = 0; i < poll.count; ++i)
        poll.links[i].socket->unlink_poll(poll.links[i]);
    if (!NT_SUCCESS(poll.status))
        return;
    if (poll.status == STATUS_SUCCESS && !poll.is_superseded && poll.count > 1)
        poll.collect(); // the others may have something to tell, too
    poll.information = poll.write_result();
}

NTSTATUS Poll::cancel(io::Irp& irp, ULONG_PTR&)
{
    Request& request = Request::of(irp);
    request.status = STATUS_CANCELLED;
    TimerList::instance().stop(request.timer);
    request.finish(irp, request);
    return STATUS_CANCELLED;
}

void Poll::expire(io::Irp& irp)
{
    complete_request(irp, STATUS_TIMEOUT, 0);
}

} // namespace afd
