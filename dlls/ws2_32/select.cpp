// select, __WSAFDIsSet.
#include <cstddef>

#include "afd_call.h"
#include "error.h"
#include "guard.h"
#include "poll_request.h"
#include "startup.h"

namespace ws2 {

namespace {

// The conditions of the three sets have no bit in common, so a ready entry tells its set.
constexpr ULONG kReadConditions = afd::kPollReceive | afd::kPollDisconnect | afd::kPollAbort
    | afd::kPollAccept | afd::kPollLocalClose;
constexpr ULONG kWriteConditions = afd::kPollSend;
constexpr ULONG kExceptConditions = afd::kPollReceiveExpedited | afd::kPollConnectFail;
static_assert(!(kReadConditions & kWriteConditions) && !(kReadConditions & kExceptConditions)
    && !(kWriteConditions & kExceptConditions));

struct SelectSet {
    fd_set* set;
    ULONG conditions;
};

/// The number of sockets in a set of the application. False: the set cannot be read, or not be
/// written when it will be its turn.
bool read_count(fd_set* set, u_int& count)
{
    constexpr u_int kMost = 0x01000000; // a process has no more handles
    count = 0;
    if (!set)
        return true;
    return guard::read(&set->fd_count, count) && count <= kMost
        && guard::touch(set, offsetof(fd_set, fd_array) + count * sizeof(SOCKET));
}

/// Adds the sockets of one set to the request. Returns 0 or a Winsock error.
int add_set(PollRequest& request, const SelectSet& set, u_int count)
{
    for (u_int i = 0; i < count; ++i) {
        SOCKET s;
        if (!guard::read(&set.set->fd_array[i], s))
            return WSAEFAULT;
        SocketRef socket = find_socket(s);
        if (!socket)
            return WSAENOTSOCK;
        // A socket somebody closes while it is polled counts as readable; one that is in the other
        // sets only makes the call fail. [select/17]
        request.add(s, set.conditions | afd::kPollLocalClose);
    }
    return 0;
}

/// Keeps in a set the sockets that are ready, in their order and each once. `set` is empty so far,
/// unless two sets of the call are one structure: then both results go into it.
void keep_ready(const PollRequest& request, const SelectSet& set)
{
    if (!set.set)
        return;
    fd_set& result = *set.set;
    for (const afd::PollEntry& entry : request) {
        if (!(entry.flags & set.conditions) || __WSAFDIsSet(entry.socket, &result))
            continue;
        result.fd_array[result.fd_count++] = entry.socket;
    }
}

/// Was a socket closed under a poll that did not ask for reading it?
bool has_closed_socket(const PollRequest& request, const SelectSet& read_set)
{
    for (const afd::PollEntry& entry : request) {
        if ((entry.flags & afd::kPollLocalClose)
            && !(read_set.set && __WSAFDIsSet(entry.socket, read_set.set)))
            return true;
    }
    return false;
}

int64_t poll_timeout_from_timeval(const timeval& time)
{
    return (time.tv_sec * int64_t { 1000000 } + time.tv_usec) * -10;
}

} // namespace

} // namespace ws2

using namespace ws2;

int WSAAPI select(
    int /*ignored*/, fd_set* read, fd_set* write, fd_set* except, const PTIMEVAL timeout)
{
    if (!is_started())
        return fail(WSANOTINITIALISED);
    const SelectSet sets[] = {
        { read, kReadConditions },
        { write, kWriteConditions },
        { except, kExceptConditions },
    };
    u_int counts[ARRAYSIZE(sets)];
    size_t total = 0;
    for (size_t i = 0; i < ARRAYSIZE(sets); ++i) {
        if (!read_count(sets[i].set, counts[i]))
            return fail(WSAEFAULT);
        total += counts[i];
    }
    if (!total)
        return fail(WSAEINVAL);
    timeval time {};
    if (timeout && !guard::read(const_cast<const timeval*>(timeout), time))
        return fail(WSAEFAULT);
    if (time.tv_sec < 0 || time.tv_usec < 0)
        return fail(WSAEINVAL); // [select/19]

    PollRequest request(total);
    if (!request.is_valid())
        return fail(WSAENOBUFS);
    for (size_t i = 0; i < ARRAYSIZE(sets); ++i) {
        if (const int error = add_set(request, sets[i], counts[i]))
            return fail(error);
    }
    const NTSTATUS status
        = request.issue(timeout ? poll_timeout_from_timeval(time) : afd::kPollForever);
    if (!NT_SUCCESS(status))
        return fail(error_from_status(status));

    const bool is_refused = has_closed_socket(request, sets[0]);
    for (const SelectSet& set : sets) {
        if (set.set)
            set.set->fd_count = 0;
    }
    if (is_refused)
        return fail(WSAENOTSOCK);
    for (const SelectSet& set : sets)
        keep_ready(request, set);
    int ready = 0;
    for (size_t i = 0; i < ARRAYSIZE(sets); ++i) {
        // One structure given twice counts once. [select/5]
        const bool repeated
            = (i > 0 && sets[i].set == sets[0].set) || (i > 1 && sets[i].set == sets[1].set);
        if (sets[i].set && !repeated)
            ready += sets[i].set->fd_count;
    }
    succeed();
    return ready;
}

int WSAAPI __WSAFDIsSet(SOCKET s, fd_set* set)
{
    for (u_int i = 0; set && i < set->fd_count; ++i) {
        if (set->fd_array[i] == s)
            return TRUE;
    }
    return FALSE;
}
