#include "unix/notifications.h"

#include "nt/caller.h"
#include "ntke/calls.h"
#include "unix/port.h"
#include "unix/services.h"

namespace notifications {

namespace {

/// Makes the poll of a registration that is outstanding. One that cannot be made has lost its
/// socket.
void ask(ntke::Registration& registration)
{
    ntke::prepare_poll<afd::PollEntry>(registration);
    constexpr ULONG kSize = ntke::kPollSize<afd::PollEntry>;
    const NTSTATUS status = services::device_io_control(
        reinterpret_cast<HANDLE>(static_cast<uintptr_t>(ntke::port_of(registration).device)),
        nullptr, nullptr, &registration, reinterpret_cast<IO_STATUS_BLOCK*>(registration.iosb),
        afd::kIoctlPoll, registration.poll, kSize, registration.poll, kSize);
    if (NT_SUCCESS(status))
        return;
    ntke::lose(registration);
}

} // namespace

NTSTATUS open_port(void* block)
{
    auto& args = *static_cast<ntke::OpenNotificationsArgs*>(block);
    const HANDLE handle = reinterpret_cast<HANDLE>(static_cast<uintptr_t>(args.port));
    if (nt::is_wow64())
        return STATUS_NOT_SUPPORTED; // status blocks are not the program's there
    const ob::Ref<io::CompletionQueue> queue = unix_side::Port::find(handle);
    if (!queue)
        return STATUS_NOT_SUPPORTED; // it is another process' too
    unix_side::Port& port = unix_side::Port::of(*queue);
    if (const NTSTATUS status = port.begin_serving(handle); !NT_SUCCESS(status))
        return status;
    auto* given
        = reinterpret_cast<ntke::NotificationPort*>(static_cast<uintptr_t>(args.notifications));
    ntke::NotificationPort* known = nullptr;
    if (given)
        port.notifications().compare_exchange_strong(known, given);
    else
        known = port.notifications();
    if (known)
        args.notifications = afd::ptr64(known);
    return STATUS_SUCCESS;
}

void end(ntke::NotificationPort& port)
{
    const uint64_t device = __atomic_exchange_n(&port.device, 0, __ATOMIC_ACQ_REL);
    if (device)
        services::close(reinterpret_cast<HANDLE>(static_cast<uintptr_t>(device)));
}

void wake(ntke::NotificationPort& port)
{
    ntke::wake_resting(port, ask);
}

uint32_t translate(CompletionPacket* packets, uint32_t count)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < count; ++i) {
        CompletionPacket packet = packets[i];
        if (packet.key == ntke::kNotificationKey) {
            auto& registration = *ntke::registration_from(packet.context);
            const uint32_t events = ntke::take_packet<afd::PollEntry>(
                registration, packet.iosb.Status, packet.key, ask);
            if (!events)
                continue;
            packet.iosb.Status = STATUS_SUCCESS;
            packet.iosb.Information = events;
        }
        packets[left++] = packet;
    }
    return left;
}

} // namespace notifications
