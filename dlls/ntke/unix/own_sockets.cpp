#include "unix/own_sockets.h"

#include <atomic>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "ke/lock.h"
#include "ob/handle_table.h"
#include "unix/host_control.h"
#include "unix/host_services.h"

namespace unix_side::own_sockets {

namespace {

constexpr int kStream = 1;

std::atomic<bool> g_may_exist { false };
/// Held while a handle is looked at that nothing is attached to.
ke::Lock g_adoption_lock;
ke::Lock g_other_lock;
/// A socket of the host that nobody connects, and that stays.
HANDLE g_other GUARDED_BY(g_other_lock) = nullptr;

NTSTATUS open_device(HANDLE& handle)
{
    constexpr ACCESS_MASK kAccess = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE;
    char16_t name[] = u"\\Device\\Afd";
    UNICODE_STRING path {};
    path.Buffer = reinterpret_cast<WCHAR*>(name);
    path.Length = sizeof(name) - sizeof(*name);
    path.MaximumLength = sizeof(name);
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &path;
    IO_STATUS_BLOCK iosb {};
    return host::open_file(&handle, kAccess, &attributes, &iosb, 0, 0);
}

NTSTATUS open_other(HANDLE& handle)
{
    constexpr int kTcp = 6;
    const afd::CreateParams params { afd::kFamilyInet, kStream, kTcp, 0 };
    NTSTATUS status = open_device(handle);
    if (!NT_SUCCESS(status))
        return status;
    status = control_on_host(handle, afd::kIoctlCreate, &params, sizeof(params), nullptr, 0);
    if (!NT_SUCCESS(status))
        host::close(handle);
    return status;
}

/// The socket of the host that stands for those which it does not know.
NTSTATUS find_other(HANDLE& handle)
{
    ke::LockGuard guard(g_other_lock);
    const NTSTATUS status = g_other ? STATUS_SUCCESS : open_other(g_other);
    if (!NT_SUCCESS(status))
        g_other = nullptr;
    handle = g_other;
    return status;
}

NTSTATUS attach(HANDLE handle, afd::SocketFile& socket)
{
    g_may_exist.store(true, std::memory_order_relaxed);
    socket.set_host_handle(afd::ptr64(handle));
    return ob::HandleTable::current().attach(handle, socket, socket.type().valid_access, 0);
}

bool is_known(HANDLE handle)
{
    const ob::ReadSection section;
    return ob::HandleTable::current().find(section, handle).object;
}

} // namespace

bool may_exist()
{
    return g_may_exist.load(std::memory_order_relaxed);
}

NTSTATUS publish(afd::SocketFile& socket, Inheritable inheritable, HANDLE& handle)
{
    HANDLE other;
    NTSTATUS status = find_other(other);
    if (!NT_SUCCESS(status))
        return status;
    status = make_handle(other, socket.socket().descriptor(), inheritable, handle);
    if (!NT_SUCCESS(status))
        return status;
    socket.tell_mode();
    status = attach(handle, socket);
    if (!NT_SUCCESS(status))
        host::close(handle);
    return status;
}

NTSTATUS create(Inheritable inheritable, HANDLE& handle)
{
    constexpr int kTheProtocol = 0;
    afd::HostSocket created;
    NTSTATUS status = created.create(afd::kFamilyUnix, kStream, kTheProtocol);
    if (!NT_SUCCESS(status))
        return status;
    created.tell_mode(false);
    ob::Ref<afd::SocketFile> socket;
    status = afd::SocketFile::make_own(created, socket);
    return NT_SUCCESS(status) ? publish(*socket, inheritable, handle) : status;
}

bool adopt(HANDLE handle)
{
    int fd;
    if (!NT_SUCCESS(open_descriptor(handle, fd)))
        return false;
    afd::HostSocket opened(fd);
    ob::Ref<afd::SocketFile> socket;
    if (!NT_SUCCESS(afd::SocketFile::make_own(opened, socket)))
        return false;
    ke::LockGuard guard(g_adoption_lock);
    return is_known(handle) || NT_SUCCESS(attach(handle, *socket));
}

bool replace_in_poll(void* poll, ULONG length)
{
    HANDLE other;
    return NT_SUCCESS(find_other(other))
        && afd::SocketFile::name_other_in_poll(poll, length, afd::ptr64(other));
}

} // namespace unix_side::own_sockets
