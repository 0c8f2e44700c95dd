#include "unix/own_sockets.h"

#include "afd/ioctl.h"
#include "afd/params.h"
#include "ob/handle_table.h"
#include "unix/host_control.h"
#include "unix/host_services.h"

namespace unix_side {

namespace {

constexpr ACCESS_MASK kAccess = GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE;

NTSTATUS open_device(HANDLE& handle)
{
    char16_t name[] = u"\\Device\\Afd";
    UNICODE_STRING path {};
    path.Buffer = reinterpret_cast<WCHAR*>(name);
    path.Length = sizeof(name) - sizeof(*name);
    path.MaximumLength = sizeof(name);
    OBJECT_ATTRIBUTES attributes {};
    attributes.Length = sizeof(attributes);
    attributes.ObjectName = &path;
    attributes.Attributes = OBJ_INHERIT; // as of every accepted socket
    IO_STATUS_BLOCK iosb {};
    return host::open_file(&handle, kAccess, &attributes, &iosb, 0, 0);
}

} // namespace

NTSTATUS make_stand_in(uint64_t host_handle)
{
    constexpr int kStream = 1;
    constexpr int kTcp = 6;
    afd::CreateParams params { afd::kFamilyInet, kStream, kTcp, 0 };
    return control_on_host(reinterpret_cast<HANDLE>(host_handle), afd::kIoctlCreate, &params,
        sizeof(params), nullptr, 0);
}

NTSTATUS open_stand_in(afd::SocketFile& socket, HANDLE& handle)
{
    NTSTATUS status = open_device(handle);
    if (!NT_SUCCESS(status))
        return status;
    status = make_stand_in(afd::ptr64(handle));
    if (NT_SUCCESS(status)) {
        socket.set_host_handle(afd::ptr64(handle));
        status = ob::HandleTable::current().attach(handle, socket, socket.type().valid_access, 0);
    }
    if (!NT_SUCCESS(status))
        host::close(handle);
    return status;
}

} // namespace unix_side
