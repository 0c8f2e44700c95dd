// The kernel under the exports: the one place where ws2_32 asks for a system service.
//
// They are ntdll's. Where ntke is on they reach it first, at the system service table, and what it
// does not serve is the host kernel's; no export needs to know. filter.h is a shorter way for calls
// that end at once.
#pragma once

#include "sdk.h"
#include "wine_version.h"

namespace ws2::kernel {

/// How the kernel tells that a request on a file has completed. Counterpart: the four completion
/// parameters of NtDeviceIoControlFile. Everything belongs to the caller; `iosb` (and the buffers
/// of the request) must live until the completion has been seen.
struct Completion {
    HANDLE event = nullptr; // reset when the request starts, set when it ends; bit 0 is ignored
    PIO_APC_ROUTINE apc = nullptr; // queued to the issuing thread
    void* context = nullptr; // given to `apc`; without one, non-null asks for a completion packet
    IO_STATUS_BLOCK* iosb = nullptr;
};

inline NTSTATUS create_event(HANDLE* event, EventType type)
{
    // Not inheritable and unnamed: no object attributes. [WSACreateEvent/2]
    return NtCreateEvent(event, EVENT_ALL_ACCESS, nullptr, type, FALSE);
}

inline NTSTATUS set_event(HANDLE event)
{
    return NtSetEvent(event, nullptr);
}

inline NTSTATUS reset_event(HANDLE event)
{
    return NtResetEvent(event, nullptr);
}

inline NTSTATUS close(HANDLE handle)
{
    return NtClose(handle);
}

/// Does no process have another handle of its object?
inline bool is_only_handle(HANDLE handle)
{
    PUBLIC_OBJECT_BASIC_INFORMATION info {};
    return NT_SUCCESS(NtQueryObject(handle, ObjectBasicInformation, &info, sizeof(info), nullptr))
        && info.HandleCount == 1;
}

/// A time-out for tests of an object.
inline const LARGE_INTEGER kNoWait {};

/// `timeout` in 100 ns units, negative is relative, null is for ever.
inline NTSTATUS wait(HANDLE handle, bool alertable, const LARGE_INTEGER* timeout = nullptr)
{
    return NtWaitForSingleObject(handle, alertable, const_cast<LARGE_INTEGER*>(timeout));
}

inline NTSTATUS wait_multiple(
    ULONG count, HANDLE* handles, WaitType type, bool alertable, const LARGE_INTEGER* timeout)
{
    return NtWaitForMultipleObjects(count, handles, type, alertable, timeout);
}

inline NTSTATUS device_io_control(HANDLE file, const Completion& completion, ULONG code,
    const void* input, ULONG input_length, void* output, ULONG output_length)
{
    return NtDeviceIoControlFile(file, completion.event, completion.apc, completion.context,
        completion.iosb, code, const_cast<void*>(input), input_length, output, output_length);
}

/// Cancels every request of this process on `file`, or the one whose status block is `request`.
inline NTSTATUS cancel(HANDLE file, IO_STATUS_BLOCK* request)
{
    IO_STATUS_BLOCK iosb;
    return NtCancelIoFileEx(file, request, &iosb);
}

/// What is behind a handle? One without the right to be asked is of its kind all the same.
bool is_event(HANDLE handle);
bool is_port(HANDLE handle);

/// Opens a handle on the AFD device. It is no socket before the create ioctl has succeeded.
/// `attributes` is OBJ_INHERIT or 0, `options` FILE_SYNCHRONOUS_IO_* or 0 for overlapped use.
NTSTATUS open_afd(HANDLE* file, ULONG attributes, ULONG options);

/// Does a request on the file that ends at once leave no completion packet?
bool skips_packets(HANDLE file);

/// Wine's version; all of it 0 on any other host.
WineVersion wine_version();

/// Does the kernel reset the event of a get-events request itself?
bool get_events_resets_event();

/// Does the host offer TCP_KEEPIDLE, TCP_KEEPCNT and TCP_KEEPINTVL?
bool has_keepalive_options();

} // namespace ws2::kernel
