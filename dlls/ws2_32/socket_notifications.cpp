// ProcessSocketNotifications.
#include "error.h"
#include "guard.h"
#include "heap.h"
#include "notification_port.h"
#include "poll_request.h"
#include "sdk/socket_notifications.h"
#include "socket.h"
#include "socket_notifications.h"
#include "startup.h"

namespace ws2 {

namespace {

using ntke::Registration;
using sdk::NotifyRegistration;

/// Guards the list, and keeps changes of one registration apart. Held shared, it keeps
/// registrations. Nothing that may close a socket is called under it.
SrwLock lock;

/// A registration in the list of all.
struct Listed : Registration {
    Listed* next_of_all;
};
Listed* first = nullptr;

bool is_gone(const Registration& registration)
{
    return __atomic_load_n(&registration.state, __ATOMIC_ACQUIRE) & ntke::kRegistrationGone;
}

/// Frees what nobody looks at any more.
void sweep()
{
    const ExclusiveGuard guard(lock);
    for (Listed** link = &first; *link;) {
        Listed* const registration = *link;
        if (!is_gone(*registration)) {
            link = &registration->next_of_all;
            continue;
        }
        *link = registration->next_of_all;
        SocketRef socket = find_known_socket(static_cast<SOCKET>(registration->socket));
        Registration* expected = registration;
        if (socket)
            socket->notification.compare_exchange_strong(expected, nullptr);
        heap_free(registration);
    }
}

int check(const NotifyRegistration& given)
{
    const bool is_known = given.operation == sdk::kNotifyEnable
        || given.operation == sdk::kNotifyDisable || given.operation == sdk::kNotifyRemove;
    if (!is_known)
        return WSAEINVAL;
    if (given.operation != sdk::kNotifyEnable)
        return 0;
    const bool is_level = given.triggers & sdk::kNotifyLevel;
    const bool is_edge = given.triggers & sdk::kNotifyEdge;
    constexpr UINT8 kHowOften = sdk::kNotifyOneShot | sdk::kNotifyPersistent;
    if (is_level == is_edge || (given.triggers & kHowOften) == kHowOften
        || (given.triggers & ~(kHowOften | sdk::kNotifyLevel | sdk::kNotifyEdge))
        || (given.filter & ~sdk::kNotifyAll))
        return WSAEINVAL;
    return 0;
}

/// What an edge-triggered registration does not tell, for it holds already.
uint32_t told_at_first(const NotifyRegistration& given)
{
    const uint32_t filter = given.filter;
    return ntke::events_from_conditions(
        conditions_now(given.socket, ntke::awaited_conditions(filter)), filter);
}

int enable(NotificationPort& port, Socket& socket, const NotifyRegistration& given)
{
    if (socket.closing)
        return WSAENOTSOCK;
    Registration* registration = socket.notification;
    if (!registration) {
        auto* const made = static_cast<Listed*>(heap_allocate(sizeof(Listed)));
        if (!made)
            return WSAENOBUFS;
        *made = {};
        made->port = afd::ptr64(static_cast<ntke::NotificationPort*>(&port));
        made->socket = given.socket;
        made->key = afd::ptr64(given.key);
        made->next_of_all = std::exchange(first, made);
        socket.notification = registration = made;
        socket.notification_removed = false;
    }
    if (&ntke::port_of(*registration) != &port)
        return WSAEINVAL;
    uint32_t wanted = given.filter | ntke::kRegistrationEnabled;
    if (given.triggers & sdk::kNotifyOneShot)
        wanted |= ntke::kRegistrationOneShot;
    if (given.triggers & sdk::kNotifyEdge)
        wanted |= ntke::kRegistrationEdge | told_at_first(given) << ntke::kToldShift;
    constexpr uint32_t kKept = ntke::kRegistrationOutstanding | ntke::kRegistrationResting
        | ntke::kRegistrationClosed | ntke::kRegistrationRemoving | ntke::kRegistrationOver
        | ntke::kRegistrationGone;
    bool asks = false;
    const uint32_t state = ntke::change_state(*registration, [&](uint32_t before) {
        asks = !(before & kKept);
        return (before & kKept) | wanted | (asks ? ntke::kRegistrationOutstanding : 0u);
    });
    if (state & ntke::kRegistrationRemoving)
        return WSAEALREADY;
    if (asks)
        return NotificationPort::ask(*registration);
    if (state & ntke::kRegistrationOutstanding)
        NotificationPort::end_poll(*registration); // its packet asks again, for what is wanted now
    return 0;
}

int remove(Registration& registration)
{
    bool posts = false;
    bool ends = false;
    ntke::change_state(registration, [&](uint32_t state) {
        const bool is_removing = state & ntke::kRegistrationRemoving;
        const bool is_outstanding = state & ntke::kRegistrationOutstanding;
        posts = !is_removing && !is_outstanding;
        ends = !is_removing && is_outstanding;
        return state | ntke::kRegistrationRemoving | (posts ? ntke::kRegistrationOutstanding : 0u);
    });
    if (posts)
        NotificationPort::post(registration);
    if (ends)
        NotificationPort::end_poll(registration);
    return 0;
}

int apply(NotificationPort& port, const NotifyRegistration& given)
{
    if (!given.operation)
        return 0;
    SocketRef socket = find_socket(given.socket);
    if (!socket)
        return static_cast<int>(GetLastError());
    if (const int error = check(given))
        return error;
    filter::usable_endpoint(*socket); // so that ntke can serve its polls
    const ExclusiveGuard guard(lock);
    if (given.operation == sdk::kNotifyEnable)
        return enable(port, *socket, given);
    Registration* const registration = socket->notification;
    const bool removes = given.operation == sdk::kNotifyRemove;
    if (!registration && removes && socket->notification_removed)
        return 0; // [ProcessSocketNotifications/10]
    if (!registration || &ntke::port_of(*registration) != &port)
        return ERROR_NOT_FOUND;
    if (removes) {
        socket->notification_removed = true;
        return remove(*registration);
    }
    ntke::change_state(*registration,
        [](uint32_t state) { return state & ~uint32_t { ntke::kRegistrationEnabled }; });
    return 0;
}

template <typename T> bool is_writable_array(T* items, size_t count)
{
    return count <= SIZE_MAX / sizeof(T) && guard::touch(items, count * sizeof(T));
}

/// A call that fails changes nothing, so all memory is looked at first.
/// [ProcessSocketNotifications/3]
int check_arguments(UINT32 count, NotifyRegistration* registrations, UINT32 timeout,
    ULONG entry_count, OVERLAPPED_ENTRY* entries, UINT32* received)
{
    if ((count == 0) != (registrations == nullptr))
        return WSAEINVAL;
    if (entry_count ? !entries || !received : entries || received || timeout)
        return WSAEINVAL;
    const bool is_there = (!count || is_writable_array(registrations, count))
        && (!entry_count
            || (is_writable_array(entries, entry_count) && is_writable_array(received, 1)));
    return is_there ? 0 : WSAEFAULT;
}

DWORD take_packets(
    HANDLE port, UINT32 timeout, ULONG count, OVERLAPPED_ENTRY* entries, UINT32* received)
{
    static_assert(sizeof(OVERLAPPED_ENTRY) == sizeof(CompletionPacket));
    if (NotificationPort* known = NotificationPort::find_known(port))
        known->wake();
    LARGE_INTEGER due;
    due.QuadPart = int64_t { timeout } * -10'000;
    ULONG number = 0;
    const NTSTATUS status
        = NtRemoveIoCompletionEx(port, reinterpret_cast<CompletionPacket*>(entries), count, &number,
            timeout == INFINITE ? nullptr : &due, FALSE);
    if (status == STATUS_INVALID_HANDLE || status == STATUS_OBJECT_TYPE_MISMATCH)
        return WSAEINVAL; // no port [ProcessSocketNotifications/2]
    if (status == STATUS_TIMEOUT)
        number = 0;
    else if (!NT_SUCCESS(status))
        return static_cast<DWORD>(error_from_status(status));
    if (!guard::write(received, UINT32 { number }))
        return WSAEFAULT;
    return status == STATUS_TIMEOUT ? WAIT_TIMEOUT : ERROR_SUCCESS;
}

} // namespace

void notifications::end(Socket& socket)
{
    if (!socket.notification)
        return;
    const SharedGuard guard(lock);
    Registration* const registration = socket.notification.exchange(nullptr);
    if (!registration)
        return;
    ntke::change_state(*registration, [](uint32_t state) {
        constexpr uint32_t kBusy = ntke::kRegistrationOutstanding | ntke::kRegistrationResting;
        const uint32_t closed = state | ntke::kRegistrationClosed;
        return state & kBusy ? closed : closed | ntke::kRegistrationGone;
    });
}

void notifications::drained(Socket& socket, uint32_t events)
{
    if (!socket.notification)
        return;
    const SharedGuard guard(lock);
    Registration* const registration = socket.notification;
    if (!registration)
        return;
    bool asks = false;
    bool ends = false;
    ntke::change_state(*registration, [&](uint32_t state) {
        const uint32_t told = events << ntke::kToldShift;
        asks = ends = false;
        if (!(state & ntke::kRegistrationEdge) || !(state & told))
            return state;
        constexpr uint32_t kEnd = ntke::kRegistrationClosed | ntke::kRegistrationRemoving;
        const bool is_on = (state & ntke::kRegistrationEnabled) && !(state & kEnd);
        ends = is_on && (state & ntke::kRegistrationOutstanding);
        asks = is_on && !ends;
        return (state & ~told) | (asks ? ntke::kRegistrationOutstanding : 0u);
    });
    if (asks)
        NotificationPort::ask(*registration);
    if (ends)
        NotificationPort::end_poll(*registration);
}

} // namespace ws2

using namespace ws2;

extern "C" DWORD WSAAPI ProcessSocketNotifications(HANDLE port, UINT32 count,
    sdk::NotifyRegistration* registrations, UINT32 timeout, ULONG entry_count,
    OVERLAPPED_ENTRY* entries, UINT32* received)
{
    if (!is_started())
        return WSANOTINITIALISED;
    if (const int error
        = check_arguments(count, registrations, timeout, entry_count, entries, received))
        return static_cast<DWORD>(error);
    if (count) {
        NotificationPort* known;
        if (const int error = NotificationPort::find(port, known))
            return static_cast<DWORD>(error);
        sweep();
        for (UINT32 i = 0; i < count; ++i) {
            sdk::NotifyRegistration given;
            if (!guard::read(&registrations[i], given))
                return WSAEFAULT;
            const auto result = static_cast<DWORD>(apply(*known, given));
            if (!guard::write(&registrations[i].result, result))
                return WSAEFAULT;
        }
    }
    return entry_count ? take_packets(port, timeout, entry_count, entries, received)
                       : ERROR_SUCCESS;
}
