// Sockets of ntke's AFD device, as the white box tests use them.
#pragma once

#include "afd/ioctl.h"
#include "afd/params.h"
#include "unit.h"

namespace unit {

constexpr int32_t kInet = 2;
constexpr int32_t kStream = 1;
constexpr int32_t kDatagram = 2;

struct Name {
    uint16_t family = kInet;
    uint16_t port = 0; // network order
    uint8_t ip[4] = { 127, 0, 0, 1 };
    uint8_t zero[8] = {};
};

struct Buffer {
    ULONG length;
    void* data;
};

inline HANDLE new_event()
{
    HANDLE event = nullptr;
    NtCreateEvent(&event, EVENT_ALL_ACCESS, nullptr, kNotificationEvent, FALSE);
    return event;
}

/// An ioctl to its end, on whatever thread.
inline NTSTATUS control(HANDLE file, ULONG code, const void* input, ULONG input_length,
    void* output = nullptr, ULONG output_length = 0, ULONG_PTR* information = nullptr)
{
    const HANDLE event = new_event();
    if (!event)
        return STATUS_NO_MEMORY;
    IO_STATUS_BLOCK iosb {};
    NTSTATUS status = NtDeviceIoControlFile(file, event, nullptr, nullptr, &iosb, code,
        const_cast<void*>(input), input_length, output, output_length);
    if (status == STATUS_PENDING) {
        NtWaitForSingleObject(event, FALSE, nullptr);
        status = iosb.Status;
    }
    if (information)
        *information = iosb.Information;
    NtClose(event);
    return status;
}

inline HANDLE new_socket(int32_t type = kStream)
{
    static char16_t path[] = u"\\Device\\Afd";
    UNICODE_STRING name { sizeof(path) - sizeof(char16_t), sizeof(path), path };
    OBJECT_ATTRIBUTES attributes { sizeof(attributes), nullptr, &name, 0, nullptr, nullptr };
    IO_STATUS_BLOCK iosb;
    HANDLE socket = nullptr;
    if (!NT_SUCCESS(NtCreateFile(&socket, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &attributes,
            &iosb, nullptr, 0, 0, FILE_OPEN_IF, 0, nullptr, 0)))
        return nullptr;
    const afd::CreateParams params { kInet, type, 0, 0 };
    if (NT_SUCCESS(control(socket, afd::kIoctlCreate, &params, sizeof(params))))
        return socket;
    NtClose(socket);
    return nullptr;
}

inline bool listen_at(HANDLE socket, Name& name)
{
    const struct {
        afd::BindParams params;
        Name name;
    } bind {};
    const afd::ListenParams listen { 0, 100, 0 };
    return NT_SUCCESS(control(socket, afd::kIoctlBind, &bind, sizeof(bind), &name, sizeof(name)))
        && NT_SUCCESS(control(socket, afd::kIoctlListen, &listen, sizeof(listen)));
}

inline bool connect_to(HANDLE socket, const Name& name)
{
    const struct {
        afd::ConnectParams params;
        Name name;
    } connect { { sizeof(name), 1 }, name };
    return NT_SUCCESS(control(socket, afd::kIoctlConnect, &connect, sizeof(connect)));
}

inline HANDLE accept_from(HANDLE listener)
{
    uint32_t handle = 0;
    control(listener, afd::kIoctlAccept, nullptr, 0, &handle, sizeof(handle));
    return reinterpret_cast<HANDLE>(uintptr_t { handle });
}

struct Pair {
    HANDLE client = nullptr;
    HANDLE server = nullptr;
};

inline Pair new_pair()
{
    Name name;
    const HANDLE listener = new_socket();
    assert_true(listen_at(listener, name));
    Pair pair { new_socket(), nullptr };
    assert_true(connect_to(pair.client, name));
    pair.server = accept_from(listener);
    NtClose(listener);
    return pair;
}

/// Begins a receive of `length` bytes.
inline NTSTATUS begin_receive(
    HANDLE socket, HANDLE event, IO_STATUS_BLOCK* iosb, void* data, ULONG length)
{
    static uint32_t no_flags; // only read
    Buffer buffer { length, data };
    afd::RecvMsgParams params {};
    params.flags = afd::ptr64(&no_flags);
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    iosb->Status = STATUS_PENDING;
    return NtDeviceIoControlFile(socket, event, nullptr, nullptr, iosb, afd::kIoctlRecvMsg, &params,
        sizeof(params), nullptr, 0);
}

inline NTSTATUS send_all(HANDLE socket, const void* data, ULONG length)
{
    Buffer buffer { length, const_cast<void*>(data) };
    afd::SendMsgParams params {};
    params.force_async = 1;
    params.count = 1;
    params.buffers = afd::ptr64(&buffer);
    return control(socket, afd::kIoctlSendMsg, &params, sizeof(params));
}

} // namespace unit
