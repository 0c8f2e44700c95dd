// A poll of sockets that the host has to be asked about, together with AF_UNIX ones, of which it
// knows nothing: each kernel is asked about its own, and the first that finds something ends the
// wait. [af_unix/12]
#include "afd_call.h"
#include "emulation.h"
#include "poll_request.h"
#include "socket.h"

namespace ws2 {

namespace {

bool is_of_ntke(const afd::PollEntry& entry)
{
    const SocketRef socket = find_known_socket(static_cast<SOCKET>(entry.socket));
    return socket && socket->family == AF_UNIX;
}

void wait_for_either(HANDLE first, HANDLE second)
{
    HANDLE events[] = { first, second };
    while (kernel::wait_multiple(ARRAYSIZE(events), events, kWaitAny, true, nullptr)
        == STATUS_USER_APC) { }
}

} // namespace

bool PollRequest::is_of_two_kernels() const
{
    if (!emulation::is_on())
        return false;
    bool is_any_of_ntke = false;
    bool is_any_other = false;
    for (const afd::PollEntry& entry : *this)
        (is_of_ntke(entry) ? is_any_of_ntke : is_any_other) = true;
    return is_any_of_ntke && is_any_other;
}

/// Ends a part that may still be waiting, with what it has found.
NTSTATUS PollRequest::end_part(NTSTATUS status, Asked& asked)
{
    if (status == STATUS_PENDING) {
        kernel::cancel(poll_device(), &asked.iosb);
        wait_for_completion(asked.event.get(), asked.iosb, Alertable::kNo);
        status = asked.iosb.Status;
    }
    return finish(status == STATUS_CANCELLED ? STATUS_TIMEOUT : status);
}

NTSTATUS PollRequest::issue_in_parts(int64_t timeout)
{
    PollRequest own(m_count);
    PollRequest others(m_count);
    if (!own.is_valid() || !others.is_valid())
        return STATUS_INSUFFICIENT_RESOURCES;
    for (const afd::PollEntry& entry : *this)
        (is_of_ntke(entry) ? own : others).add(entry.socket, static_cast<ULONG>(entry.flags));
    if (own.is_empty()) // closed meanwhile
        return STATUS_INVALID_HANDLE;
    Asked asked_own(WaitsFor::kNtke);
    Asked asked_others(WaitsFor::kHost);
    NTSTATUS status = own.start(timeout, asked_own);
    const bool waits = status == STATUS_PENDING;
    NTSTATUS others_status = others.start(waits ? timeout : 0, asked_others);
    if (waits && others_status == STATUS_PENDING)
        wait_for_either(asked_own.event.get(), asked_others.event.get());
    status = own.end_part(status, asked_own);
    others_status = others.end_part(others_status, asked_others);
    gather(own, others);
    return NT_SUCCESS(status) ? others_status : status;
}

/// The entries that are ready in either, in the order of all. There is room: they are of these.
void PollRequest::gather(const PollRequest& own, const PollRequest& others)
{
    const afd::PollEntry* next_own = own.begin();
    const afd::PollEntry* next_other = others.begin();
    size_t ready = 0;
    for (size_t i = 0; i < m_count; ++i) {
        const auto takes = [&](const afd::PollEntry*& next, const PollRequest& part) {
            if (next == part.end() || next->socket != entries()[i].socket)
                return false;
            entries()[ready++] = *next++;
            return true;
        };
        if (!takes(next_own, own))
            takes(next_other, others);
    }
    m_count = ready;
}

} // namespace ws2
