// WSAPoll.
#include <cstddef>

#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "poll_request.h"
#include "startup.h"

namespace ws2 {

namespace {

/// One direction of the mapping between WSAPoll's bits and the device's conditions.
struct PollRow {
    SHORT events;
    ULONG conditions;
};

constexpr PollRow kRequests[] = {
    { POLLRDNORM, afd::kPollReceive | afd::kPollAccept },
    { POLLRDBAND, afd::kPollReceiveExpedited },
    { POLLWRNORM, afd::kPollSend },
};

constexpr PollRow kResults[] = {
    { POLLRDNORM, afd::kPollReceive | afd::kPollAccept },
    { POLLRDBAND, afd::kPollReceiveExpedited },
    { POLLWRNORM, afd::kPollSend },
    { POLLHUP, afd::kPollDisconnect },
    { POLLERR | POLLHUP | POLLWRNORM, afd::kPollAbort },
    { POLLERR | POLLHUP | POLLWRNORM, afd::kPollConnectFail },
    { POLLNVAL, afd::kPollLocalClose },
};

// What is reported whether asked for or not.
constexpr ULONG kAlways
    = afd::kPollDisconnect | afd::kPollAbort | afd::kPollConnectFail | afd::kPollLocalClose;

ULONG conditions_from_events(SHORT events)
{
    ULONG conditions = kAlways;
    for (const PollRow& row : kRequests) {
        if (events & row.events)
            conditions |= row.conditions;
    }
    return conditions;
}

/// The answer for an entry; bits for reading and writing only where they were asked for.
SHORT events_from_conditions(ULONG conditions, SHORT asked)
{
    SHORT events = 0;
    for (const PollRow& row : kResults) {
        if (conditions & row.conditions)
            events |= row.events;
    }
    constexpr SHORT kOnlyIfAsked = POLLRDNORM | POLLRDBAND | POLLWRNORM;
    return events & static_cast<SHORT>(~kOnlyIfAsked | asked);
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI WSAPoll(WSAPOLLFD* fds, ULONG count, int timeout)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    if (!count)
        return fail(WSAEINVAL);
    if (!fds || count > 0xFFFFFFFFu / sizeof(*fds) || !guard::touch(fds, count * sizeof(*fds)))
        return fail(WSAEFAULT);

    PollRequest request(count);
    if (!request.is_valid())
        return fail(WSAENOBUFS);
    for (WSAPOLLFD* fd = fds; fd != fds + count; ++fd) {
        constexpr SHORT kAllowed = POLLRDNORM | POLLRDBAND | POLLWRNORM;
        fd->revents = 0;
        const bool is_socket = static_cast<bool>(find_socket(fd->fd));
        // What is no socket may ask for anything, unless a socket stands before it. [WSAPoll/2]
        if ((is_socket || !request.is_empty()) && fd->events & ~kAllowed)
            return fail(WSAEINVAL);
        if (is_socket)
            request.add(fd->fd, conditions_from_events(fd->events));
        else
            fd->revents = POLLNVAL;
    }
    if (request.is_empty())
        return fail(WSAENOTSOCK);
    const NTSTATUS status = request.issue(poll_timeout_from_milliseconds(timeout));
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));

    // The ready entries are in the order of the array, with the others left out.
    int ready = 0;
    WSAPOLLFD* fd = fds;
    for (const afd::PollEntry& entry : request) {
        while (fd != fds + count && (fd->fd != entry.socket || fd->revents == POLLNVAL))
            ++fd;
        if (fd == fds + count)
            break;
        fd->revents = events_from_conditions(entry.flags, fd->events);
        ready += fd->revents != 0;
        ++fd;
    }
    succeed();
    return ready;
}
