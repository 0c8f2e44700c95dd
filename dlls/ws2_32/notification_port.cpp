#include "notification_port.h"

#include <new>

#include "afd_call.h"
#include "emulation.h"
#include "error.h"
#include "heap.h"
#include "kernel.h"
#include "late_library.h"
#include "lock.h"

namespace ws2 {

namespace {

SrwLock lock; // guards what follows
NotificationPort* first = nullptr;
// On the host the polls of all ports are made on one device and end at one port; the thread takes
// them from there.
HANDLE host_port = nullptr;
HANDLE host_device = nullptr;

constexpr FILE_INFORMATION_CLASS kCompletionInformation
    = static_cast<FILE_INFORMATION_CLASS>(kFileCompletionInformation);

/// Has requests on the file end at the port.
bool associate(HANDLE file, HANDLE port)
{
    struct FileCompletionInformation info {
        port, ntke::kNotificationKey
    };
    IO_STATUS_BLOCK iosb;
    return NT_SUCCESS(
        NtSetInformationFile(file, &iosb, &info, sizeof(info), kCompletionInformation));
}

/// The program may have closed the handle, and got another port by the same value.
bool is_same(HANDLE first_handle, HANDLE second_handle)
{
    using CompareObjects = NTSTATUS(NTAPI*)(HANDLE, HANDLE);
    static constinit LateFunction<CompareObjects> compare(L"ntdll.dll", "NtCompareObjects");
    const CompareObjects function = compare.get();
    return !function || NT_SUCCESS(function(first_handle, second_handle));
}

HANDLE device_of(const ntke::Registration& registration)
{
    return reinterpret_cast<HANDLE>(static_cast<uintptr_t>(ntke::port_of(registration).device));
}

IO_STATUS_BLOCK* iosb_of(ntke::Registration& registration)
{
    return reinterpret_cast<IO_STATUS_BLOCK*>(registration.iosb);
}

} // namespace

NotificationPort* NotificationPort::find_known(HANDLE port)
{
    if (emulation::is_on()) {
        ntke::OpenNotificationsArgs args { .port = afd::ptr64(port), .notifications = 0 };
        if (NT_SUCCESS(emulation::call(ntke::kCallOpenNotifications, &args)) && args.notifications)
            return static_cast<NotificationPort*>(reinterpret_cast<ntke::NotificationPort*>(
                static_cast<uintptr_t>(args.notifications)));
    }
    const SharedGuard guard(lock);
    for (NotificationPort* known = first; known; known = known->m_next) {
        if (known->m_own_port && known->m_port == port && is_same(known->m_own_port, port))
            return known;
    }
    return nullptr;
}

int NotificationPort::find(HANDLE port, NotificationPort*& found)
{
    found = find_known(port);
    if (found)
        return 0;
    if (!kernel::is_port(port))
        return WSAEINVAL;
    void* const memory = heap_allocate(sizeof(NotificationPort));
    if (!memory)
        return WSAENOBUFS;
    auto* const created = new (memory) NotificationPort;
    if (const int error = created->open(port)) {
        heap_free(memory);
        return error;
    }
    {
        const ExclusiveGuard guard(lock);
        for (NotificationPort* known = first; known; known = known->m_next)
            known->abandon();
        created->m_next = std::exchange(first, created);
    }
    found = find_known(port); // another thread may have been first
    return found ? 0 : WSAENOBUFS;
}

int NotificationPort::open(HANDLE port)
{
    m_port = port;
    if (emulation::is_on() && open_here(port))
        return 0;
    return open_on_host(port) ? 0 : WSAENOBUFS;
}

bool NotificationPort::open_here(HANDLE port)
{
    HANDLE opened;
    if (!NT_SUCCESS(kernel::open_afd(&opened, 0, 0)))
        return false;
    device = afd::ptr64(opened);
    auto* const given = static_cast<ntke::NotificationPort*>(this);
    ntke::OpenNotificationsArgs args { .port = afd::ptr64(port),
        .notifications = afd::ptr64(given) };
    const bool is_served = NT_SUCCESS(emulation::call(ntke::kCallOpenNotifications, &args));
    const bool is_first = args.notifications == afd::ptr64(given);
    if (is_served && is_first && associate(opened, port))
        return true;
    device = 0;
    kernel::close(opened);
    return is_served && !is_first;
}

/// The host's thread, with the device and the port that it works with. The lock must be held.
static bool start_host(LPTHREAD_START_ROUTINE run)
{
    if (host_port)
        return true;
    HANDLE port;
    HANDLE device;
    if (!NT_SUCCESS(NtCreateIoCompletion(&port, GENERIC_ALL, nullptr, 0)))
        return false;
    if (NT_SUCCESS(kernel::open_afd(&device, 0, 0))) {
        host_port = port;
        host_device = device;
        const HANDLE thread = associate(device, port)
            ? CreateThread(nullptr, 0, run, nullptr, 0, nullptr)
            : nullptr;
        if (thread) {
            kernel::close(thread);
            return true;
        }
        host_port = host_device = nullptr;
        kernel::close(device);
    }
    kernel::close(port);
    return false;
}

bool NotificationPort::open_on_host(HANDLE port)
{
    HMODULE self;
    if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
            reinterpret_cast<const wchar_t*>(&lock), &self)
        || !DuplicateHandle(GetCurrentProcess(), port, GetCurrentProcess(), &m_own_port, 0, FALSE,
            DUPLICATE_SAME_ACCESS))
        return false;
    const ExclusiveGuard guard(lock);
    m_is_on_host = start_host(run_host);
    if (m_is_on_host)
        device = afd::ptr64(host_device);
    else
        kernel::close(std::exchange(m_own_port, nullptr));
    return m_is_on_host;
}

/// On the host: gives up the handle of a port of which the program has none any more. The lock must
/// be held.
void NotificationPort::abandon()
{
    if (m_own_port && kernel::is_only_handle(m_own_port))
        kernel::close(std::exchange(m_own_port, nullptr));
}

HANDLE NotificationPort::poll_port() const
{
    return m_is_on_host ? host_port : m_port;
}

int NotificationPort::ask(ntke::Registration& registration)
{
    ntke::prepare_poll<afd::PollEntry>(registration);
    constexpr ULONG kSize = ntke::kPollSize<afd::PollEntry>;
    const NTSTATUS status = kernel::device_io_control(device_of(registration),
        { .context = &registration, .iosb = iosb_of(registration) }, afd::kIoctlPoll,
        registration.poll, kSize, registration.poll, kSize);
    if (NT_SUCCESS(status))
        return 0;
    ntke::lose(registration);
    return error_from_status(status);
}

void NotificationPort::end_poll(ntke::Registration& registration)
{
    kernel::cancel(device_of(registration), iosb_of(registration));
}

void NotificationPort::post(ntke::Registration& registration)
{
    const auto& port = static_cast<const NotificationPort&>(ntke::port_of(registration));
    NtSetIoCompletion(port.poll_port(), ntke::kNotificationKey,
        reinterpret_cast<ULONG_PTR>(&registration), STATUS_CANCELLED, 0);
}

void NotificationPort::wake()
{
    if (m_is_on_host)
        ntke::wake_resting(*this, ask);
}

/// A poll on the host has ended.
void NotificationPort::send_on(const CompletionPacket& packet)
{
    auto& registration = *ntke::registration_from(packet.context);
    ULONG_PTR key;
    const uint32_t events
        = ntke::take_packet<afd::PollEntry>(registration, packet.iosb.Status, key, ask);
    if (events && m_own_port)
        NtSetIoCompletion(m_own_port, key, packet.context, STATUS_SUCCESS, events);
}

/// What has been told of, and may still hold, is asked again when the program has taken the packet:
/// its port is looked at from time to time, for nobody tells.
DWORD WINAPI NotificationPort::run_host(void*)
{
    constexpr int64_t kPause = -10'000 * 5; // 5 ms
    for (;;) {
        bool has_resting = false;
        {
            const SharedGuard guard(lock);
            for (NotificationPort* port = first; port; port = port->m_next)
                has_resting
                    |= port->m_own_port && __atomic_load_n(&port->resting, __ATOMIC_RELAXED);
        }
        LARGE_INTEGER pause;
        pause.QuadPart = kPause;
        CompletionPacket packet;
        ULONG number = 0;
        const NTSTATUS status = NtRemoveIoCompletionEx(
            host_port, &packet, 1, &number, has_resting ? &pause : nullptr, FALSE);
        const ExclusiveGuard guard(lock);
        if (status == STATUS_SUCCESS && number) {
            auto& port = static_cast<NotificationPort&>(
                ntke::port_of(*ntke::registration_from(packet.context)));
            port.send_on(packet);
            continue;
        }
        for (NotificationPort* port = first; port; port = port->m_next) {
            if (port->m_own_port)
                port->look();
        }
    }
}

void NotificationPort::look()
{
    ULONG depth = 0;
    if (!NT_SUCCESS(NtQueryIoCompletion(m_own_port, 0, &depth, sizeof(depth), nullptr)))
        return;
    if (!depth)
        wake();
    else
        abandon();
}

} // namespace ws2
