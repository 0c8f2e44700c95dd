#include "workloads.h"
#include "port.h"
#include "readiness_echo.h"

#include "sdk/socket_notifications.h"

namespace bench {

namespace {

/// A completion port with sockets registered for socket state notifications: persistent, by level.
class NotificationPoller {
public:
    bool open()
    {
        m_process = reinterpret_cast<sdk::ProcessSocketNotifications>(reinterpret_cast<void*>(
            GetProcAddress(GetModuleHandleA("ws2_32.dll"), "ProcessSocketNotifications")));
        return expect(m_process, "there is no ProcessSocketNotifications") && m_port.open();
    }
    bool watch(SOCKET socket, size_t index)
    {
        sdk::NotifyRegistration registration { socket, reinterpret_cast<void*>(index + 1),
            sdk::kNotifyIn, sdk::kNotifyEnable, sdk::kNotifyPersistent | sdk::kNotifyLevel, 0 };
        return !m_process(m_port.get(), 1, &registration, 0, 0, nullptr, nullptr)
            && !registration.result;
    }
    bool rearm(size_t) { return true; }
    int wait(size_t* ready, int most)
    {
        constexpr int kMost = 64;
        OVERLAPPED_ENTRY entries[kMost];
        UINT32 count = 0;
        if (m_process(m_port.get(), 0, nullptr, INFINITE, static_cast<ULONG>(std::min(most, kMost)),
                entries, &count))
            return -1;
        for (UINT32 i = 0; i < count; ++i) {
            if (!entries[i].lpCompletionKey) {
                end();
                return 0;
            }
            ready[i] = entries[i].lpCompletionKey - 1;
        }
        return static_cast<int>(count);
    }
    void end() { m_port.post(0); }

private:
    sdk::ProcessSocketNotifications m_process = nullptr;
    Port m_port;
};

} // namespace

std::vector<WorkloadRow> notification_echo_workloads()
{
    using NotificationEcho
        = Echo<ReadinessServer<NotificationPoller>, ReadinessClients<NotificationPoller>>;
    return { { "notification_echo_64", Unit::OperationsPerSecond, create_with<NotificationEcho>,
        64 } };
}

} // namespace bench
