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
HANDLE host_port = nullptr; // where the polls end on the host; the thread takes them from there

constexpr FILE_INFORMATION_CLASS kCompletionInformation
    = static_cast<FILE_INFORMATION_CLASS>(kFileCompletionInformation);

bool is_port(HANDLE handle)
{
    ULONG depth;
    constexpr ULONG kBasicInformation = 0;
    return NT_SUCCESS(
        NtQueryIoCompletion(handle, kBasicInformation, &depth, sizeof(depth), nullptr));
}

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
    if (!is_port(port))
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
        created->m_next = std::exchange(first, created);
    }
    found = find_known(port); // another thread may have been first
    return found ? 0 : WSAENOBUFS;
}

int NotificationPort::open(HANDLE port)
{
    HANDLE opened;
    if (!NT_SUCCESS(kernel::open_afd(&opened, 0, 0)))
        return WSAENOBUFS;
    m_port = port;
    device = afd::ptr64(opened);
    if (emulation::is_on()) {
        ntke::OpenNotificationsArgs args { .port = afd::ptr64(port),
            .notifications = afd::ptr64(static_cast<ntke::NotificationPort*>(this)) };
        if (NT_SUCCESS(emulation::call(ntke::kCallOpenNotifications, &args))
            && associate(opened, port))
            return 0;
    }
    if (open_on_host(port) && associate(opened, host_port))
        return 0;
    kernel::close(opened);
    return WSAENOBUFS;
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
    if (host_port)
        return true;
    HANDLE created;
    if (!NT_SUCCESS(NtCreateIoCompletion(&created, GENERIC_ALL, nullptr, 0)))
        return false;
    host_port = created;
    const HANDLE thread = CreateThread(nullptr, 0, run_host, nullptr, 0, nullptr);
    if (!thread) {
        kernel::close(std::exchange(host_port, nullptr));
        return false;
    }
    kernel::close(thread);
    return true;
}

HANDLE NotificationPort::poll_port() const
{
    return m_own_port ? host_port : m_port;
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
    if (m_own_port)
        ntke::wake_resting(*this, ask);
}

/// A poll on the host has ended.
void NotificationPort::send_on(const CompletionPacket& packet)
{
    auto& registration = *ntke::registration_from(packet.context);
    ULONG_PTR key;
    const uint32_t events
        = ntke::take_packet<afd::PollEntry>(registration, packet.iosb.Status, key, ask);
    if (events)
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
                has_resting |= port->m_own_port && !port->m_is_abandoned
                    && __atomic_load_n(&port->resting, __ATOMIC_RELAXED);
        }
        LARGE_INTEGER pause;
        pause.QuadPart = kPause;
        CompletionPacket packet;
        ULONG number = 0;
        const NTSTATUS status = NtRemoveIoCompletionEx(
            host_port, &packet, 1, &number, has_resting ? &pause : nullptr, FALSE);
        if (status == STATUS_SUCCESS && number) {
            auto& port = static_cast<NotificationPort&>(
                ntke::port_of(*ntke::registration_from(packet.context)));
            port.send_on(packet);
            continue;
        }
        const SharedGuard guard(lock);
        for (NotificationPort* port = first; port; port = port->m_next) {
            if (port->m_own_port && !port->m_is_abandoned)
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
        m_is_abandoned = kernel::is_only_handle(m_own_port);
}

} // namespace ws2
