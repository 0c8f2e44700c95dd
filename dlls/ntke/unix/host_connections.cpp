#include "unix/host_connections.h"

#include <atomic>
#include <csignal>
#include <cstring>

#include <poll.h>

#include "afd/ioctl.h"
#include "afd/params.h"
#include "ke/stoppable.h"
#include "unix/host_services.h"

namespace unix_side {

namespace {

/// An address block as the host writes it.
struct Block {
    int32_t length;
    uint8_t address[sizeof(afd::Address::bytes)];
};

bool is_pending(IO_STATUS_BLOCK& iosb)
{
    return std::atomic_ref(iosb.Status).load(std::memory_order_acquire) == STATUS_PENDING;
}

/// The host tells the end of a request by a signal to the thread that has issued it: waits for
/// that while the request is pending. In an uninterrupted section or not; the thread is suspended
/// here, but not terminated, for the host uses its memory.
void wait_for_signal(IO_STATUS_BLOCK& iosb)
{
    constexpr timespec kPatience { 0, 10'000'000 };
    sigset_t stops;
    sigset_t before;
    sigemptyset(&stops);
    sigaddset(&stops, SIGUSR1);
    sigaddset(&stops, SIGQUIT);
    pthread_sigmask(SIG_BLOCK, &stops, &before);
    if (is_pending(iosb)) {
        sigset_t asleep = before;
        sigaddset(&asleep, SIGQUIT);
        const ke::Stoppable section(
            ke::WhenSuspended::KeepsPlace); // what has come is sent again, and interrupts the wait
        ppoll(nullptr, 0, &kPatience, &asleep);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

/// The end of a request that takes no longer than the host takes to answer. Given up, it ends with
/// STATUS_CANCELLED.
NTSTATUS wait_for_end(HANDLE handle, NTSTATUS status, IO_STATUS_BLOCK& iosb)
{
    if (status != STATUS_PENDING)
        return status;
    wait_for_signal(iosb);
    if (is_pending(iosb)) {
        IO_STATUS_BLOCK cancelled;
        host::cancel_io_ex(handle, &iosb, &cancelled);
    }
    while (is_pending(iosb))
        wait_for_signal(iosb);
    return iosb.Status;
}

void read_block(const Block& block, afd::Address& address)
{
    address.length = 0;
    if (block.length < 0 || static_cast<size_t>(block.length) > sizeof(address.bytes))
        return;
    address.length = static_cast<uint32_t>(block.length);
    memcpy(address.bytes, block.address, address.length);
}

} // namespace

NTSTATUS accept_by_host(uint64_t listener, uint64_t acceptor, afd::HostedAccept& accepted)
{
    const HANDLE handle = reinterpret_cast<HANDLE>(listener);
    afd::AcceptIntoParams params { static_cast<uint32_t>(acceptor), 0, sizeof(Block) };
    Block blocks[2] {}; // local, remote
    IO_STATUS_BLOCK iosb {};
    iosb.Status = STATUS_PENDING;
    // Without a context the host tells no port.
    NTSTATUS status = host::device_io_control(handle, nullptr, nullptr, nullptr, &iosb,
        afd::kIoctlAcceptInto, &params, sizeof(params), blocks, sizeof(blocks));
    status = wait_for_end(handle, status, iosb);
    if (status == STATUS_CANCELLED)
        return STATUS_DEVICE_NOT_READY;
    if (NT_SUCCESS(status)) {
        read_block(blocks[0], accepted.local);
        read_block(blocks[1], accepted.remote);
    }
    return status;
}

NTSTATUS connect_by_host(uint64_t host_handle, const void* input, uint32_t length)
{
    const HANDLE handle = reinterpret_cast<HANDLE>(host_handle);
    IO_STATUS_BLOCK iosb {};
    iosb.Status = STATUS_PENDING;
    const NTSTATUS status = host::device_io_control(handle, nullptr, nullptr, nullptr, &iosb,
        afd::kIoctlConnect, const_cast<void*>(input), length, nullptr, 0);
    return wait_for_end(handle, status, iosb);
}

} // namespace unix_side
