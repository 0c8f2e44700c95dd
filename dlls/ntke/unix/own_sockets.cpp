#include "unix/own_sockets.h"

#include <atomic>

#include <sys/mman.h>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "nt/caller.h"
#include "ob/handle_table.h"
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

/// The status block of a 32-bit program that the host writes over 64-bit Linux code, for requests
/// that are not the program's. Nobody reads it. Null: no memory.
void* low_status_block()
{
#ifdef MAP_32BIT
    static std::atomic<void*> block { nullptr };
    if (void* const made = block.load(std::memory_order_acquire))
        return made;
    constexpr size_t kPage = 4096;
    void* const made = mmap(
        nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (made == MAP_FAILED)
        return nullptr;
    void* other = nullptr;
    if (block.compare_exchange_strong(other, made, std::memory_order_acq_rel))
        return made;
    munmap(made, kPage);
    return other;
#else
    return nullptr; // there are no such programs
#endif
}

} // namespace

NTSTATUS make_stand_in(uint64_t host_handle)
{
    constexpr int kStream = 1;
    constexpr int kTcp = 6;
    afd::CreateParams params { afd::kFamilyInet, kStream, kTcp, 0 };
    IO_STATUS_BLOCK iosb {};
    if (nt::is_wow64()) {
        iosb.Pointer = low_status_block();
        if (!iosb.Pointer)
            return STATUS_NO_MEMORY;
    }
    return host::device_io_control(reinterpret_cast<HANDLE>(host_handle), nullptr, nullptr, nullptr,
        &iosb, afd::kIoctlCreate, &params, sizeof(params), nullptr, 0);
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
