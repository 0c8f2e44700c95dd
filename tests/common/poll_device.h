// Polls sent to the AFD device by the program itself, as mio, tokio, wepoll and libuv do it:
// through a helper handle of the device that is no socket, with a list of socket handles. Include
// this first: it wants the SDK without the status codes of <ntstatus.h>.
#pragma once

#include "afd/ioctl.h"
#include "afd/params.h"

#undef WIN32_NO_STATUS // What those headers need is behind us; the codes are wanted here.
#include <ntstatus.h>

#include <cwchar>

extern "C" NTSTATUS NTAPI NtCancelIoFileEx(
    HANDLE file, IO_STATUS_BLOCK* request, IO_STATUS_BLOCK* iosb);

namespace poll_device {

/// Opens a helper handle. The path behind the device's name is the program's choice. The caller
/// closes it, when no poll is pending on it any more.
inline NTSTATUS open(const wchar_t* path, HANDLE* device)
{
    UNICODE_STRING name;
    name.Buffer = const_cast<wchar_t*>(path);
    name.Length = name.MaximumLength = static_cast<USHORT>(std::wcslen(path) * sizeof(wchar_t));
    OBJECT_ATTRIBUTES attributes = {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &name;
    IO_STATUS_BLOCK iosb = {};
    return NtCreateFile(device, SYNCHRONIZE, &attributes, &iosb, nullptr, 0,
        FILE_SHARE_READ | FILE_SHARE_WRITE, FILE_OPEN, 0, nullptr, 0);
}

/// A poll of up to `kMost` sockets; asked for and answered in one block, as those libraries do it.
/// Must live until the poll has ended. The status block comes first: its address is the context, so
/// a packet's OVERLAPPED pointer is the poll's.
template <unsigned kMost> struct Poll {
    IO_STATUS_BLOCK iosb;
    struct Block {
        afd::PollHeader header;
        afd::PollEntry entries[kMost];
    } block;

    /// Makes the list empty. `timeout` is in units of 100 ns, negative: relative.
    void begin(LONGLONG timeout = afd::kPollForever, bool exclusive = false)
    {
        iosb = {};
        block.header = {};
        block.header.timeout = timeout;
        block.header.exclusive = exclusive;
    }
    void add(SOCKET socket, ULONG flags)
    {
        block.entries[block.header.count++] = { socket, static_cast<int32_t>(flags), 0 };
    }
    /// Sends it. Told by `event` if there is one, and by the packet if the device has a port and
    /// `wants_packet`.
    NTSTATUS start(HANDLE device, HANDLE event = nullptr, bool wants_packet = true)
    {
        const ULONG length = static_cast<ULONG>(
            sizeof(afd::PollHeader) + block.header.count * sizeof(afd::PollEntry));
        iosb.Status = STATUS_PENDING;
        return NtDeviceIoControlFile(device, event, nullptr, wants_packet ? &iosb : nullptr, &iosb,
            afd::kIoctlPoll, &block, length, &block, length);
    }
    NTSTATUS cancel(HANDLE device)
    {
        IO_STATUS_BLOCK ignored = {};
        return NtCancelIoFileEx(device, &iosb, &ignored);
    }
    bool is_pending() const
    {
        return *static_cast<const volatile NTSTATUS*>(&iosb.Status) == STATUS_PENDING;
    }
    OVERLAPPED* context() { return reinterpret_cast<OVERLAPPED*>(&iosb); }
    static Poll* of(OVERLAPPED* context) { return reinterpret_cast<Poll*>(context); }
};

} // namespace poll_device
