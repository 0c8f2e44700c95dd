#include "afd.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

namespace nt_suite {

namespace {

constexpr ULONG kAfdAccess = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE;

/// Ends the wait for an event that never comes. Shorter than kHangLimit, since systems are known
/// that do not record some things, and still far above what any of them takes.
LARGE_INTEGER kEventLimit = ticks(-50'000'000);

/// A block followed by a socket address.
template <typename Block> struct WithAddress {
    Block block;
    Address address;
};

HANDLE handle_from(uint32_t value)
{
    return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(value));
}

} // namespace

Address loopback(uint16_t port)
{
    return { kInet, port, { 127, 0, 0, 1 }, {} };
}

bool operator==(const Address& a, const Address& b)
{
    return a.family == b.family && a.port == b.port && !memcmp(a.ip, b.ip, sizeof(a.ip));
}

// --- Requests

NTSTATUS control(HANDLE file, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length, ULONG_PTR* information)
{
    HANDLE event = nullptr;
    NTSTATUS status = NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
    if (!NT_SUCCESS(status))
        return status;
    auto* iosb = new IO_STATUS_BLOCK {};
    status = NtDeviceIoControlFile(file, event, nullptr, nullptr, iosb, code,
        const_cast<void*>(input), input_length, output, output_length);
    if (status == STATUS_PENDING) {
        if (NtWaitForSingleObject(event, FALSE, &kHangLimit) != STATUS_WAIT_0) {
            IO_STATUS_BLOCK ignored {};
            NtCancelIoFileEx(file, iosb, &ignored); // which may still write to the block
            NtClose(event);
            return STATUS_TIMEOUT;
        }
        status = iosb->Status;
    }
    if (information)
        *information = iosb->Information;
    delete iosb;
    NtClose(event);
    return status;
}

Request* new_request(HANDLE file, ULONG length)
{
    static auto* requests = new std::deque<Request>;
    Request& request = requests->emplace_back();
    request.file = file;
    request.event = new_event(kNotificationEvent);
    static auto* buffers = new std::deque<std::vector<char>>;
    request.data = buffers->emplace_back(length + 1).data();
    request.length = length;
    request.address_length = sizeof(request.address);
    request.iosb.Status = STATUS_PENDING;
    return &request;
}

void issue(Request* request, ULONG code, const void* input, ULONG input_length, void* output,
    ULONG output_length)
{
    request->issued
        = NtDeviceIoControlFile(request->file, request->event, request->apc, request->context,
            &request->iosb, code, const_cast<void*>(input), input_length, output, output_length);
}

bool is_pending(const Request* request)
{
    // The end writes the status last, on whatever thread.
    return request->issued == STATUS_PENDING
        && __atomic_load_n(&request->iosb.Status, __ATOMIC_ACQUIRE) == STATUS_PENDING;
}

NTSTATUS finish(Request* request)
{
    if (static_cast<ULONG>(request->issued) >> 30 == 3)
        return request->issued;
    if (request->event)
        assert_status(NtWaitForSingleObject(request->event, FALSE, &kHangLimit), STATUS_WAIT_0);
    else
        assert_eventually([request] { return !is_pending(request); });
    return request->iosb.Status;
}

void issue_receive(Request* request, uint32_t flags)
{
    const Buffer buffer { request->length, request->data };
    request->flags = flags;
    afd::RecvMsgParams params {};
    params.address = afd::ptr64(&request->address);
    params.address_length = afd::ptr64(&request->address_length);
    params.flags = afd::ptr64(&request->flags);
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    issue(request, afd::kIoctlRecvMsg, &params, sizeof(params));
}

void issue_send(Request* request)
{
    const Buffer buffer { request->length, request->data };
    afd::SendMsgParams params {};
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    issue(request, afd::kIoctlSendMsg, &params, sizeof(params));
}

Request* start_receive(HANDLE socket, ULONG length, uint32_t flags)
{
    Request* request = new_request(socket, length);
    issue_receive(request, flags);
    return request;
}

Request* start_send(HANDLE socket, ULONG length)
{
    Request* request = new_request(socket, length);
    issue_send(request);
    return request;
}

void assert_received(const Request* request, const char* text)
{
    assert_int_equal(request->iosb.Information, strlen(text));
    assert_memory_equal(request->data, text, strlen(text));
}

// --- Sockets

NTSTATUS try_open_afd(const char* path, ULONG options, HANDLE* file)
{
    WCHAR buffer[64];
    const size_t length = std::min(strlen(path), std::size(buffer));
    std::copy_n(path, length, buffer);
    UNICODE_STRING name {};
    name.Length = name.MaximumLength = static_cast<USHORT>(length * sizeof(WCHAR));
    name.Buffer = buffer;
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &name;
    IO_STATUS_BLOCK iosb {};
    return NtCreateFile(
        file, kAfdAccess, &attributes, &iosb, nullptr, 0, 0, FILE_OPEN_IF, options, nullptr, 0);
}

HANDLE open_afd(const char* path, ULONG options)
{
    HANDLE file = nullptr;
    assert_status(try_open_afd(path, options, &file), STATUS_SUCCESS);
    return owned(file);
}

NTSTATUS create(HANDLE file, int32_t family, int32_t type, int32_t protocol)
{
    const afd::CreateParams params { family, type, protocol, 0 };
    return control(file, afd::kIoctlCreate, &params, sizeof(params));
}

HANDLE new_stream(ULONG options)
{
    const HANDLE socket = open_afd("\\Device\\Afd", options);
    assert_status(create(socket, kInet, kStream, kTcp), STATUS_SUCCESS);
    return socket;
}

HANDLE new_datagram(ULONG options)
{
    const HANDLE socket = open_afd("\\Device\\Afd", options);
    assert_status(create(socket, kInet, kDatagram, kUdp), STATUS_SUCCESS);
    return socket;
}

NTSTATUS bind(HANDLE socket, const Address& address, Address* bound)
{
    const WithAddress<afd::BindParams> input { {}, address };
    Address output {};
    return control(
        socket, afd::kIoctlBind, &input, sizeof(input), bound ? bound : &output, sizeof(output));
}

NTSTATUS listen(HANDLE socket, int32_t backlog)
{
    const afd::ListenParams params { 0, backlog, 0 };
    return control(socket, afd::kIoctlListen, &params, sizeof(params));
}

NTSTATUS connect(HANDLE socket, const Address& address)
{
    const WithAddress<afd::ConnectParams> input { { sizeof(address), 1 }, address };
    return control(socket, afd::kIoctlConnect, &input, sizeof(input));
}

NTSTATUS accept(HANDLE listener, HANDLE* accepted)
{
    uint32_t value = 0;
    const NTSTATUS status = control(listener, afd::kIoctlAccept, nullptr, 0, &value, sizeof(value));
    *accepted = handle_from(value);
    return status;
}

NTSTATUS shutdown(HANDLE socket, int32_t how)
{
    return set_int(socket, afd::kIoctlShutdown, how);
}

NTSTATUS set_nonblocking(HANDLE socket, bool is_nonblocking)
{
    return set_int(socket, afd::kIoctlFionbio, is_nonblocking);
}

NTSTATUS get_name(HANDLE socket, Address* name)
{
    return control(socket, afd::kIoctlGetSockName, nullptr, 0, name, sizeof(*name));
}

NTSTATUS get_peer(HANDLE socket, Address* name)
{
    return control(socket, afd::kIoctlGetPeerName, nullptr, 0, name, sizeof(*name));
}

NTSTATUS get_int(HANDLE socket, ULONG code, int32_t* value)
{
    return control(socket, code, nullptr, 0, value, sizeof(*value));
}

NTSTATUS set_int(HANDLE socket, ULONG code, int32_t value)
{
    return control(socket, code, &value, sizeof(value));
}

Address bind_to_loopback(HANDLE socket)
{
    Address bound {};
    assert_status(bind(socket, loopback(), &bound), STATUS_SUCCESS);
    return bound;
}

Address unused_address()
{
    const HANDLE socket = new_stream(); // It stays bound, so nobody else comes to listen there.
    return bind_to_loopback(socket);
}

Listener new_listener(ULONG options)
{
    Listener listener { new_stream(options), {} };
    listener.address = bind_to_loopback(listener.socket);
    assert_status(listen(listener.socket), STATUS_SUCCESS);
    return listener;
}

HANDLE connect_to(const Listener& listener)
{
    const HANDLE socket = new_stream();
    assert_status(connect(socket, listener.address), STATUS_SUCCESS);
    return socket;
}

HANDLE accept_from(HANDLE listener)
{
    HANDLE accepted = nullptr;
    await(listener, afd::kPollAccept);
    assert_status(accept(listener, &accepted), STATUS_SUCCESS);
    return owned(accepted);
}

Pair new_pair(ULONG options)
{
    const Listener listener = new_listener(options);
    Pair pair { new_stream(options), nullptr };
    assert_status(connect(pair.client, listener.address), STATUS_SUCCESS);
    pair.server = accept_from(listener.socket);
    close_owned(listener.socket);
    return pair;
}

Pair new_datagram_pair()
{
    const Pair pair { new_datagram(), new_datagram() };
    const Address client = bind_to_loopback(pair.client);
    const Address server = bind_to_loopback(pair.server);
    assert_status(connect(pair.client, server), STATUS_SUCCESS);
    assert_status(connect(pair.server, client), STATUS_SUCCESS);
    return pair;
}

void reset(HANDLE socket)
{
    const uint16_t linger[2] = { 1, 0 };
    assert_status(control(socket, afd::kIoctlSetSoLinger, linger, sizeof(linger)), STATUS_SUCCESS);
    close_owned(socket);
}

Transfer send(HANDLE socket, const char* data, ULONG length, uint32_t flags, const Address* address)
{
    const Buffer buffer { length, const_cast<char*>(data) };
    afd::SendMsgParams params {};
    params.address = afd::ptr64(address);
    params.address_length = address ? sizeof(*address) : 0;
    params.flags = flags;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    Transfer result {};
    result.status
        = control(socket, afd::kIoctlSendMsg, &params, sizeof(params), nullptr, 0, &result.count);
    return result;
}

Transfer receive(HANDLE socket, char* data, ULONG length, uint32_t flags, Address* address)
{
    const Buffer buffer { length, data };
    int32_t address_length = sizeof(*address);
    afd::RecvMsgParams params {};
    params.address = afd::ptr64(address);
    params.address_length = address ? afd::ptr64(&address_length) : 0;
    params.flags = afd::ptr64(&flags);
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    Transfer result {};
    result.status
        = control(socket, afd::kIoctlRecvMsg, &params, sizeof(params), nullptr, 0, &result.count);
    return result;
}

void assert_sends(HANDLE socket, const char* text, uint32_t flags)
{
    const Transfer sent = send(socket, text, static_cast<ULONG>(strlen(text)), flags);
    assert_status(sent.status, STATUS_SUCCESS);
    assert_int_equal(sent.count, strlen(text));
}

void assert_receives(HANDLE socket, const char* text)
{
    const size_t length = strlen(text);
    char data[256] = {};
    size_t had = 0;
    while (had < length) {
        await(socket, afd::kPollReceive);
        const Transfer got = receive(socket, data + had, static_cast<ULONG>(length - had));
        assert_status(got.status, STATUS_SUCCESS);
        assert_int_not_equal(got.count, 0);
        had += got.count;
    }
    assert_memory_equal(data, text, length);
}

ULONG_PTR fill(HANDLE socket)
{
    static char chunk[0x10000];
    ULONG_PTR total = 0;
    for (;;) {
        const Transfer sent = send(socket, chunk, sizeof(chunk));
        if (sent.status == STATUS_DEVICE_NOT_READY)
            return total;
        assert_status(sent.status, STATUS_SUCCESS);
        total += sent.count;
    }
}

void drain(HANDLE socket, ULONG_PTR count)
{
    static char chunk[0x10000];
    while (count) {
        await(socket, afd::kPollReceive);
        const Transfer got
            = receive(socket, chunk, static_cast<ULONG>(std::min<ULONG_PTR>(sizeof(chunk), count)));
        assert_status(got.status, STATUS_SUCCESS);
        assert_int_not_equal(got.count, 0);
        count -= got.count;
    }
}

// --- Polls

PollBlock poll_block(LONGLONG timeout, HANDLE socket, int32_t flags)
{
    PollBlock block {};
    block.header.timeout = timeout;
    add_socket(block, socket, flags);
    return block;
}

void add_socket(PollBlock& block, HANDLE socket, int32_t flags)
{
    block.entries[block.header.count++] = { reinterpret_cast<ULONG_PTR>(socket), flags, 0 };
}

ULONG size_of(const PollBlock& block)
{
    return static_cast<ULONG>(sizeof(block.header) + block.header.count * sizeof(block.entries[0]));
}

NTSTATUS poll(PollBlock& block)
{
    const PollBlock input = block;
    return control(reinterpret_cast<HANDLE>(input.entries[0].socket), afd::kIoctlPoll, &input,
        size_of(input), &block, size_of(input));
}

Request* start_poll(PollBlock& block, HANDLE device)
{
    const ULONG size = size_of(block);
    Request* request
        = new_request(device ? device : reinterpret_cast<HANDLE>(block.entries[0].socket), size);
    memcpy(request->data, &block, size);
    issue(request, afd::kIoctlPoll, &block, size, request->data, size);
    return request;
}

int32_t poll_now(HANDLE socket, int32_t flags)
{
    PollBlock block = poll_block(0, socket, flags);
    const NTSTATUS status = poll(block);
    if (status != STATUS_TIMEOUT)
        assert_status(status, STATUS_SUCCESS);
    return block.header.count ? block.entries[0].flags : 0;
}

void await(HANDLE socket, int32_t flags)
{
    PollBlock block = poll_block(kHangLimit.QuadPart, socket, flags);
    assert_status(poll(block), STATUS_SUCCESS);
    assert_int_equal(block.header.count, 1);
}

// --- Network events

NTSTATUS select(HANDLE socket, HANDLE event, int32_t mask)
{
    const afd::EventSelectParams params { reinterpret_cast<ULONG_PTR>(event), mask };
    return control(socket, afd::kIoctlEventSelect, &params, sizeof(params));
}

HANDLE selected_event(HANDLE socket, int32_t mask)
{
    const HANDLE event = new_event(kNotificationEvent);
    assert_status(select(socket, event, mask), STATUS_SUCCESS);
    return event;
}

int32_t take_events(HANDLE socket, HANDLE event, afd::GetEventsResult* result)
{
    afd::GetEventsResult own {};
    if (!result)
        result = &own;
    if (event) // Not every system resets it with the request.
        assert_status(NtResetEvent(event, nullptr), STATUS_SUCCESS);
    assert_status(
        control(socket, afd::kIoctlGetEvents, event, 0, result, sizeof(*result)), STATUS_SUCCESS);
    return static_cast<int32_t>(result->flags);
}

void assert_events(HANDLE socket, HANDLE event, int32_t expected)
{
    int32_t seen = 0;
    while ((seen & expected) != expected) {
        if (NtWaitForSingleObject(event, FALSE, &kEventLimit) != STATUS_WAIT_0)
            fail_msg("recorded %03x, expected %03x", static_cast<unsigned>(seen),
                static_cast<unsigned>(expected));
        seen |= take_events(socket, event);
    }
    assert_int_equal(seen, expected);
}

void assert_no_events(HANDLE socket, HANDLE event)
{
    assert_false(is_signaled(event));
    assert_int_equal(take_events(socket, event), 0);
}

} // namespace nt_suite
