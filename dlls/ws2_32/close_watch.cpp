#include "close_watch.h"

#include "afd/ioctl.h"
#include "afd/params.h"
#include "heap.h"
#include "kernel.h"
#include "message_select.h"
#include "poll_request.h"
#include "pump.h"
#include "socket.h"
#include "trace.h"

namespace ws2::close_watch {

namespace {

/// A socket that lives shorter than this is not watched. Milliseconds.
constexpr int kMoment = 500;

struct Attached {
    HANDLE socket;
    uint64_t serial; // FilterState's
};

/// A poll in flight. Owner: the pump; the host writes to it until `iosb` has a status.
struct Watch {
    IO_STATUS_BLOCK iosb;
    afd::PollHeader header;
    afd::PollEntry entry;
    Attached attached;
};

SrwLock lock;
HeapArray<Attached> fresh; // guarded by lock: not watched yet
ULONGLONG fresh_since = 0; // guarded by lock: when the oldest of them came, GetTickCount64
HeapArray<Watch*> watches; // guarded by lock; only the pump takes one out

/// Lets go of a socket whose handle is closed, if nobody did yet.
void let_go(const Attached& attached)
{
    SocketRef socket = find_known_socket(reinterpret_cast<SOCKET>(attached.socket));
    if (!socket || socket->filter.serial != attached.serial || socket->closing)
        return;
    const FilterState& filter = socket->filter;
    if (filter.posts_messages && (filter.mask & afd::kPollDisconnect)) // [WSAAsyncSelect/13]
        message_select::post(
            filter.window, filter.message, socket_from_handle(attached.socket), FD_CLOSE, 0);
    WS2_TRACE(kernel, "%p: its handle was closed behind our back", attached.socket);
    forget_stale_socket(*socket);
}

/// Only the pump makes watches, so the room stays until it is used.
bool has_room_for_watch()
{
    ExclusiveGuard guard(lock);
    return watches.reserve(1);
}

/// False: another thread makes a socket just now; the pump waits for none.
bool watch(const Attached& attached)
{
    // Held until the host has the request: closesocket leaves the value to nobody else meanwhile.
    SocketRef socket = find_known_socket(reinterpret_cast<SOCKET>(attached.socket));
    if (!socket || socket->filter.serial != attached.serial || !has_room_for_watch())
        return true;
    auto* watch = static_cast<Watch*>(heap_allocate(sizeof(Watch)));
    if (!watch)
        return true;
    watch->iosb = {};
    watch->iosb.Status = STATUS_PENDING;
    watch->header = { .timeout = afd::kPollForever, .count = 1, .exclusive = 0, .padding = {} };
    watch->entry = { .socket = reinterpret_cast<ULONG_PTR>(attached.socket),
        .flags = afd::kPollLocalClose,
        .status = 0 };
    watch->attached = attached;
    constexpr ULONG kLength = sizeof(watch->header) + sizeof(watch->entry);
    NTSTATUS status = STATUS_INVALID_HANDLE;
    // The program may have closed the handle, and its value may mean anything by now.
    if (!g_unmade_sockets.try_acquire_exclusive()) {
        heap_free(watch);
        return false;
    }
    if (attached.socket != poll_device())
        status = kernel::device_io_control(poll_device(), { .iosb = &watch->iosb }, afd::kIoctlPoll,
            &watch->header, kLength, &watch->header, kLength);
    g_unmade_sockets.release_exclusive();
    if (status == STATUS_PENDING) {
        ExclusiveGuard guard(lock);
        watches.append(watch);
        return true;
    }
    heap_free(watch);
    // Closed already, or there is nothing to be told.
    if (status == STATUS_INVALID_HANDLE || status == STATUS_OBJECT_TYPE_MISMATCH)
        let_go(attached);
    return true;
}

void watch_fresh()
{
    if (!poll_device())
        return;
    for (;;) {
        Attached next;
        {
            ExclusiveGuard guard(lock);
            if (!fresh.count())
                return;
            next = fresh[fresh.count() - 1];
            fresh.truncate(fresh.count() - 1);
        }
        if (!watch(next)) {
            ExclusiveGuard guard(lock);
            fresh.append(next);
            fresh_since = GetTickCount64(); // later
            return;
        }
    }
}

/// Takes out one watch that has ended.
Watch* take_ended()
{
    ExclusiveGuard guard(lock);
    for (size_t i = 0; i < watches.count(); ++i) {
        Watch* watch = watches[i];
        if (__atomic_load_n(&watch->iosb.Status, __ATOMIC_ACQUIRE) == STATUS_PENDING)
            continue;
        watches[i] = watches[watches.count() - 1];
        watches.truncate(watches.count() - 1);
        return watch;
    }
    return nullptr;
}

void reap_ended()
{
    while (Watch* watch = take_ended()) {
        let_go(watch->attached);
        heap_free(watch);
    }
}

/// Has the host end the watch of a socket. False: it is not watched (any more).
bool cancel(uint64_t serial)
{
    SharedGuard guard(lock);
    for (Watch* watch : watches) {
        if (watch->attached.serial != serial)
            continue;
        if (__atomic_load_n(&watch->iosb.Status, __ATOMIC_ACQUIRE) == STATUS_PENDING)
            kernel::cancel(poll_device(), &watch->iosb);
        return true;
    }
    return false;
}

} // namespace

void add(HANDLE socket, uint64_t serial)
{
    if (!pump::start())
        return;
    bool is_first;
    {
        ExclusiveGuard guard(lock);
        is_first = !fresh.count();
        if (!fresh.append({ socket, serial }))
            return;
        if (is_first)
            fresh_since = GetTickCount64();
    }
    if (is_first)
        pump::wake(); // it must not sleep for ever now
}

void end(uint64_t serial)
{
    constexpr int kMostTurns = 200; // the pump may be suspended
    for (int turn = 0; turn < kMostTurns && cancel(serial); ++turn) {
        pump::wake();
        if (turn)
            Sleep(1);
        else
            SwitchToThread();
    }
}

int patience()
{
    SharedGuard guard(lock);
    if (!fresh.count())
        return -1;
    const ULONGLONG age = GetTickCount64() - fresh_since;
    return age >= kMoment ? 0 : static_cast<int>(kMoment - age);
}

void run()
{
    reap_ended();
    if (patience() == 0)
        watch_fresh();
}

} // namespace ws2::close_watch
