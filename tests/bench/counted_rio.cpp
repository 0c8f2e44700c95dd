#include "counted.h"
#include "port.h"

#include "sdk/registered_io.h"
#include "sdk/socket_notifications.h"

namespace bench {

/// Two datagram sockets for registered I/O with a polled queue each, or one registered with a port
/// and always readable.
struct CountedRio {
    sdk::RioTable functions {};
    sdk::RioCq queues[2] {};
    sdk::RioRq requests[2] {};
    sdk::RioBufferId buffer {};
    UniqueSocket sockets[2];
    char data[128] = "counted";
    Port port;
    sdk::ProcessSocketNotifications process = nullptr;

    ~CountedRio()
    {
        for (const sdk::RioCq queue : queues) {
            if (queue)
                functions.RIOCloseCompletionQueue(queue);
        }
    }
    bool make_sockets()
    {
        sockaddr_in addresses[2];
        for (int i = 0; i < 2; ++i)
            sockets[i].reset(bind_udp_on_loopback(addresses[i]));
        for (int i = 0; i < 2; ++i) {
            if (connect(sockets[i].get(), reinterpret_cast<const sockaddr*>(&addresses[!i]),
                    sizeof(addresses[!i])))
                return false;
        }
        return true;
    }
    bool open_queues()
    {
        GUID guid = sdk::kMultipleRio;
        DWORD size = 0;
        if (!make_sockets()
            || WSAIoctl(sockets[0].get(), sdk::kGetMultipleExtensionFunctionPointer, &guid,
                sizeof(guid), &functions, sizeof(functions), &size, nullptr, nullptr))
            return false;
        buffer = functions.RIORegisterBuffer(data, sizeof(data));
        for (int i = 0; i < 2; ++i) {
            queues[i] = functions.RIOCreateCompletionQueue(8, nullptr);
            requests[i] = functions.RIOCreateRequestQueue(
                sockets[i].get(), 4, 1, 4, 1, queues[i], queues[i], nullptr);
        }
        return requests[0] && requests[1];
    }
    bool take(int index)
    {
        sdk::RioResult result {};
        ULONG number;
        do {
            number = functions.RIODequeueCompletion(queues[index], &result, 1);
        } while (!number);
        return number == 1 && !result.status && result.transferred == 8;
    }
    bool watch()
    {
        process = reinterpret_cast<sdk::ProcessSocketNotifications>(reinterpret_cast<void*>(
            GetProcAddress(GetModuleHandleA("ws2_32.dll"), "ProcessSocketNotifications")));
        if (!process || !port.open() || !make_sockets() || send(sockets[0].get(), data, 8, 0) != 8)
            return false;
        sdk::NotifyRegistration registration { sockets[1].get(), this, sdk::kNotifyIn,
            sdk::kNotifyEnable, sdk::kNotifyPersistent | sdk::kNotifyLevel, 0 };
        return !process(port.get(), 1, &registration, 0, 0, nullptr, nullptr)
            && !registration.result;
    }
};

namespace {

using Fixture = CountedFixture;

bool prepare_queues(Fixture& f)
{
    if (f.rio)
        return true;
    f.rio = std::make_shared<CountedRio>();
    return f.rio->open_queues();
}

bool receive_and_send(Fixture& f)
{
    CountedRio& rio = *f.rio;
    sdk::RioBuf room { rio.buffer, 64, 16 };
    sdk::RioBuf piece { rio.buffer, 0, 8 };
    return rio.functions.RIOReceive(rio.requests[1], &room, 1, 0, nullptr)
        && rio.functions.RIOSend(rio.requests[0], &piece, 1, 0, nullptr) && rio.take(0)
        && rio.take(1);
}

bool send_batch(Fixture& f)
{
    CountedRio& rio = *f.rio;
    sdk::RioBuf piece { rio.buffer, 0, 8 };
    for (int i = 0; i < 4; ++i) {
        if (!rio.functions.RIOSend(rio.requests[0], &piece, 1, i < 3 ? sdk::kRioDefer : 0, nullptr))
            return false;
    }
    return rio.take(0) && rio.take(0) && rio.take(0) && rio.take(0);
}

bool prepare_port(Fixture& f)
{
    if (f.rio)
        return true;
    f.rio = std::make_shared<CountedRio>();
    return f.rio->watch();
}

bool take_notification(Fixture& f)
{
    OVERLAPPED_ENTRY entry {};
    UINT32 count = 0;
    return !f.rio->process(f.rio->port.get(), 0, nullptr, INFINITE, 1, &entry, &count) && count == 1
        && entry.dwNumberOfBytesTransferred == sdk::kNotifyIn;
}

} // namespace

std::vector<CountedCall> counted_rio_calls()
{
    // A DLL that has none of it has nothing to count.
    std::vector<CountedCall> calls;
    if (CountedRio().open_queues()) {
        calls.push_back(
            { "RIOReceive, RIOSend (polled)", prepare_queues, receive_and_send, nullptr });
        calls.push_back({ "RIOSend (a batch of 4)", prepare_queues, send_batch, nullptr });
    }
    if (CountedRio().watch())
        calls.push_back(
            { "ProcessSocketNotifications (ready)", prepare_port, take_notification, nullptr });
    return calls;
}

} // namespace bench
