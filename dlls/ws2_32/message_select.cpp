#include "message_select.h"

#include "heap.h"
#include "late_library.h"
#include "network_event.h"
#include "socket.h"
#include "trace.h"

namespace ws2::message_select {

namespace {

// user32 is loaded with the first window only; without it there is none.
LateFunction<BOOL(WINAPI*)(HWND)> is_window_late(L"user32.dll", "IsWindow");
LateFunction<BOOL(WINAPI*)(HWND, UINT, WPARAM, LPARAM)> post_late(L"user32.dll", "PostMessageW");

} // namespace

Target* create(const Socket& socket, HWND window, UINT message)
{
    auto* target = static_cast<Target*>(heap_allocate(sizeof(Target)));
    if (target) {
        *target = { .link = {},
            .window = window,
            .message = message,
            .socket = socket_from_handle(socket.handle),
            .serial = socket.filter.serial };
    }
    return target;
}

void post(HWND window, UINT message, SOCKET socket, long event, int error)
{
    WS2_TRACE(event, "%p: message %x to %p for event %lx, error %d",
        reinterpret_cast<void*>(socket), message, window, event, error);
    if (const auto post_message = post_late.get())
        post_message(window, message, socket, WSAMAKESELECTREPLY(event, error));
}

/// Posts what is pending, one message an event. [WSAAsyncSelect/2]
static void post_pending(const Target& target)
{
    SocketRef socket = find_known_socket(target.socket);
    afd::GetEventsResult record {};
    if (!socket || socket->filter.serial != target.serial
        || !filter::take_messages(*socket, target.link, record))
        return;
    // The order in which the host posts them.
    for (const long event : { FD_CONNECT, FD_ACCEPT, FD_OOB, FD_READ, FD_WRITE, FD_CLOSE }) {
        for (const NetworkEventRow& row : kNetworkEvents) {
            if (row.event == event && (record.flags & row.conditions))
                post(target.window, target.message, target.socket, event,
                    error_of_event(row, record));
        }
    }
}

void destroy(Target* target)
{
    heap_free(target);
}

void serve(uint64_t& targets)
{
    while (auto* target = reinterpret_cast<Target*>(targets)) {
        targets = target->link.next; // it may be in the next list as soon as its work is taken
        const uint32_t work = __atomic_exchange_n(&target->link.work, 0, __ATOMIC_ACQ_REL);
        if (work & ntke::kTargetPost)
            post_pending(*target);
        if (work & ntke::kTargetFree)
            destroy(target);
    }
}

bool is_window(HWND window)
{
    const auto function = is_window_late.get();
    return function && function(window);
}

} // namespace ws2::message_select
