#include "nt_socket.h"

#include "afd/ioctl.h"
#include "afd/params.h"
#include "check.h"

namespace bench_afd {

namespace {

/// sockaddr_in of the loopback interface.
struct Address {
    uint16_t family = 2;
    uint16_t port = 0; // network order
    uint8_t ip[4] = { 127, 0, 0, 1 };
    uint8_t zero[8] = {};
};

struct WsaBuf {
    ULONG length;
    void* data;
};

/// A request that does not pend.
NTSTATUS control(HANDLE file, ULONG code, const void* input, size_t input_length,
    void* output = nullptr, size_t output_length = 0, size_t* information = nullptr)
{
    IO_STATUS_BLOCK iosb {};
    const NTSTATUS status = NtDeviceIoControlFile(file, nullptr, nullptr, nullptr, &iosb, code,
        const_cast<void*>(input), static_cast<ULONG>(input_length), output,
        static_cast<ULONG>(output_length));
    if (information)
        *information = iosb.Information;
    return status;
}

void must(NTSTATUS status, const char* what)
{
    check(status == STATUS_SUCCESS, what);
}

} // namespace

HANDLE new_stream()
{
    WCHAR path[] = u"\\Device\\Afd";
    UNICODE_STRING name { sizeof(path) - sizeof(WCHAR), sizeof(path), path };
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &name;
    IO_STATUS_BLOCK iosb {};
    HANDLE file = nullptr;
    must(NtCreateFile(&file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attributes, &iosb,
             nullptr, 0, 0, FILE_OPEN_IF, 0, nullptr, 0),
        "opening the device");
    const afd::CreateParams params { 2, 1, 6, 0 };
    must(control(file, afd::kIoctlCreate, &params, sizeof(params)), "making a socket");
    return file;
}

HANDLE new_listener(uint16_t& port)
{
    const HANDLE listener = new_stream();
    const struct {
        afd::BindParams block;
        Address address;
    } name {};
    Address bound;
    must(control(listener, afd::kIoctlBind, &name, sizeof(name), &bound, sizeof(bound)), "bind");
    const afd::ListenParams params { 0, 128, 0 };
    must(control(listener, afd::kIoctlListen, &params, sizeof(params)), "listen");
    port = bound.port;
    return listener;
}

HANDLE accept_from(HANDLE listener)
{
    uint32_t accepted = 0;
    must(control(listener, afd::kIoctlAccept, nullptr, 0, &accepted, sizeof(accepted)), "accept");
    return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(accepted));
}

void connect_to(HANDLE socket, uint16_t port)
{
    struct {
        afd::ConnectParams block { sizeof(Address), 1 };
        Address address;
    } name;
    name.address.port = port;
    IO_STATUS_BLOCK iosb {};
    const NTSTATUS status = NtDeviceIoControlFile(socket, nullptr, nullptr, nullptr, &iosb,
        afd::kIoctlConnect, &name, sizeof(name), nullptr, 0);
    if (status == STATUS_PENDING)
        must(NtWaitForSingleObject(socket, FALSE, nullptr), "waiting for a connection");
    else
        must(status, "connect");
}

HANDLE select_event(HANDLE socket)
{
    HANDLE event = nullptr;
    must(NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE), "an event");
    const afd::EventSelectParams params { reinterpret_cast<ULONG_PTR>(event),
        afd::kPollReceive | afd::kPollDisconnect | afd::kPollAbort };
    must(control(socket, afd::kIoctlEventSelect, &params, sizeof(params)), "selecting an event");
    return event;
}

uint32_t take_events(HANDLE socket, HANDLE event)
{
    afd::GetEventsResult result;
    must(control(socket, afd::kIoctlGetEvents, event, 0, &result, sizeof(result)), "GET_EVENTS");
    return result.flags;
}

NTSTATUS receive(HANDLE socket, void* data, size_t size, size_t& received)
{
    const WsaBuf buffer { static_cast<ULONG>(size), data };
    uint32_t flags = 0;
    afd::RecvMsgParams params {};
    params.flags = afd::ptr64(&flags);
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    return control(socket, afd::kIoctlRecvMsg, &params, sizeof(params), nullptr, 0, &received);
}

NTSTATUS send(HANDLE socket, const void* data, size_t size, size_t& sent)
{
    const WsaBuf buffer { static_cast<ULONG>(size), const_cast<void*>(data) };
    afd::SendMsgParams params {};
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    return control(socket, afd::kIoctlSendMsg, &params, sizeof(params), nullptr, 0, &sent);
}

} // namespace bench_afd
