// The functions of registered I/O: each an adapter of a queue's or a buffer's.
#include "rio.h"

#include "error.h"
#include "guard.h"
#include "startup.h"

namespace ws2::rio {

namespace {

BOOL result(int error)
{
    if (!error)
        return TRUE;
    fail(error);
    return FALSE;
}

BOOL request(sdk::RioRq handle, Direction direction, const Call& call)
{
    RequestQueue* const queue = RequestQueue::from(handle);
    return result(queue ? queue->request(direction, call) : WSAEINVAL);
}

BOOL PASCAL receive(sdk::RioRq queue, sdk::RioBuf* data, ULONG count, DWORD flags, void* context)
{
    return request(queue, Direction::kReceive,
        { .data = data, .count = count, .flags = flags, .context = context });
}

int PASCAL receive_ex(sdk::RioRq queue, sdk::RioBuf* data, ULONG count, sdk::RioBuf* local,
    sdk::RioBuf* remote, sdk::RioBuf* control, sdk::RioBuf* told_flags, DWORD flags, void* context)
{
    return request(queue, Direction::kReceive,
        { data, count, local, remote, control, told_flags, flags, context });
}

BOOL PASCAL send(sdk::RioRq queue, sdk::RioBuf* data, ULONG count, DWORD flags, void* context)
{
    return request(queue, Direction::kSend,
        { .data = data, .count = count, .flags = flags, .context = context });
}

BOOL PASCAL send_ex(sdk::RioRq queue, sdk::RioBuf* data, ULONG count, sdk::RioBuf* local,
    sdk::RioBuf* remote, sdk::RioBuf* control, sdk::RioBuf* told_flags, DWORD flags, void* context)
{
    return request(queue, Direction::kSend,
        { data, count, local, remote, control, told_flags, flags, context });
}

void PASCAL close_queue(sdk::RioCq handle)
{
    if (CompletionQueue* queue = CompletionQueue::from(handle))
        queue->close();
}

sdk::RioCq PASCAL create_queue(DWORD size, sdk::RioNotification* notification)
{
    CompletionQueue* queue = nullptr;
    return result(CompletionQueue::create(size, notification, queue)) ? queue->handle() : nullptr;
}

sdk::RioRq PASCAL create_request_queue(SOCKET s, ULONG most_receives, ULONG most_receive_buffers,
    ULONG most_sends, ULONG most_send_buffers, sdk::RioCq receive_handle, sdk::RioCq send_handle,
    void* context)
{
    SocketRef socket = find_socket(s);
    if (!socket)
        return nullptr;
    CompletionQueue* const receive_queue = CompletionQueue::from(receive_handle);
    CompletionQueue* const send_queue = CompletionQueue::from(send_handle);
    int error = 0;
    if (!receive_queue || !send_queue || (!most_receives && !most_sends) || most_receive_buffers > 1
        || most_send_buffers > 1)
        error = WSAEINVAL;
    else if ((socket->type != SOCK_STREAM && socket->type != SOCK_DGRAM)
        || !socket->is_overlapped())
        error = WSAEOPNOTSUPP;
    RequestQueue* queue = nullptr;
    if (!error)
        error = RequestQueue::create(std::move(socket), most_receives, most_sends, receive_queue,
            send_queue, context, queue);
    return result(error) ? queue->handle() : nullptr;
}

ULONG PASCAL dequeue(sdk::RioCq handle, sdk::RioResult* results, ULONG count)
{
    CompletionQueue* const queue = CompletionQueue::from(handle);
    return queue ? queue->dequeue(results, count) : sdk::kRioCorruptCq;
}

INT PASCAL notify(sdk::RioCq handle)
{
    CompletionQueue* const queue = CompletionQueue::from(handle);
    return queue ? queue->request_notification() : WSAEINVAL;
}

BOOL PASCAL resize_queue(sdk::RioCq handle, DWORD size)
{
    CompletionQueue* const queue = CompletionQueue::from(handle);
    return result(queue ? queue->resize(size) : WSAEINVAL);
}

BOOL PASCAL resize_request_queue(sdk::RioRq handle, DWORD most_receives, DWORD most_sends)
{
    RequestQueue* const queue = RequestQueue::from(handle);
    return result(queue ? queue->resize(most_receives, most_sends) : WSAEINVAL);
}

sdk::RioBufferId PASCAL take_buffer(char* data, DWORD length)
{
    return register_buffer(data, length);
}

void PASCAL drop_buffer(sdk::RioBufferId id)
{
    deregister_buffer(id);
}

} // namespace

sdk::RioTable functions()
{
    return { .size = sizeof(sdk::RioTable),
        .RIOReceive = receive,
        .RIOReceiveEx = receive_ex,
        .RIOSend = send,
        .RIOSendEx = send_ex,
        .RIOCloseCompletionQueue = close_queue,
        .RIOCreateCompletionQueue = create_queue,
        .RIOCreateRequestQueue = create_request_queue,
        .RIODequeueCompletion = dequeue,
        .RIODeregisterBuffer = drop_buffer,
        .RIONotify = notify,
        .RIORegisterBuffer = take_buffer,
        .RIOResizeCompletionQueue = resize_queue,
        .RIOResizeRequestQueue = resize_request_queue };
}

} // namespace ws2::rio
