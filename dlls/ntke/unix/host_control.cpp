#include "unix/host_control.h"

#include <atomic>

#include <sys/mman.h>

#include "afd/ioctl.h"
#include "nt/caller.h"
#include "unix/host_services.h"
#include "unix/uninterrupted.h"

namespace unix_side {

namespace {

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

NTSTATUS control_on_host(HANDLE file, ULONG code, const void* input, ULONG input_length,
    void* output, ULONG output_length)
{
    IO_STATUS_BLOCK iosb {};
    if (nt::is_wow64()) {
        iosb.Pointer = low_status_block();
        if (!iosb.Pointer)
            return STATUS_NO_MEMORY;
    }
    return host::device_io_control(file, nullptr, nullptr, nullptr, &iosb, code,
        const_cast<void*>(input), input_length, output, output_length);
}

void tell_mode(HANDLE handle, afd::SocketFile& socket)
{
    const Uninterrupted section;
    ke::LockGuard guard(socket.selection_lock());
    if (!socket.must_tell_mode())
        return; // another thread has told it, or set another mode
    const uint32_t on = 1;
    const NTSTATUS status
        = control_on_host(handle, afd::kIoctlFionbio, &on, sizeof(on), nullptr, 0);
    if (NT_SUCCESS(status))
        socket.note_mode(true);
}

} // namespace unix_side
