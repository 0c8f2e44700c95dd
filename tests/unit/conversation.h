// A conversation between two endpoints on real sockets, step by step.
#pragma once

#include <sys/socket.h>

#include "loopback.h"

namespace unit {

constexpr uint32_t kEnd = uint32_t { afd::kPollDisconnect } | afd::kPollAbort;
constexpr uint32_t kOutcome = uint32_t { afd::kPollConnect } | afd::kPollConnectFail;
constexpr size_t kLength = 3000;

/// Who calls Pump::run: the test itself, or a thread.
inline bool g_has_pump_thread;

/// Nothing but a bug, or a hang, makes a test wait this long.
constexpr int64_t kPatience = 20'000;

struct Side {
    ob::Ref<afd::Endpoint> endpoint;
    ob::Ref<ke::Event> event;
    uint32_t told = 0; // everything that was ever told
    uint32_t flags = 0;
};

/// A listener, a connection to it, and what the two sides tell each other, step by step. A step
/// that cannot be done returns false, with the status that says why.
class Conversation {
public:
    using Step = bool (Conversation::*)();
    static const Step kSteps[];
    static constexpr uint32_t kStepCount = 8;

    ~Conversation()
    {
        for (Side* side : { &server, &client, &listener })
            close(*side);
        settle();
    }

    /// Does the steps up to `count`, as far as they succeed. Returns whether they did.
    bool run(uint32_t count = kStepCount)
    {
        for (uint32_t i = 0; i < count; ++i) {
            if (!(this->*kSteps[i])())
                return false;
        }
        return true;
    }

    static void close(Side& side)
    {
        if (side.endpoint)
            side.endpoint->close_socket();
        side.endpoint.reset();
        side.event.reset();
    }
    /// Lets the pump give up what it holds.
    static void settle()
    {
        afd::Pump::instance().wake();
        for (int i = 0; i < 2 && !g_has_pump_thread; ++i)
            afd::Pump::instance().run(0);
    }

    /// Waits until one of `conditions` is told. It always is: a fault may not lose it.
    static void wait_until_told(Side& side, uint32_t conditions)
    {
        const int64_t deadline = milliseconds_now() + kPatience;
        uint32_t told = 0;
        for (;;) {
            side.event->reset();
            afd::GetEventsResult result;
            side.endpoint->take_events(result);
            side.told |= result.flags;
            told |= result.flags;
            if (told & conditions)
                return;
            while (!side.event->peek()) {
                if (milliseconds_now() > deadline) {
                    print_error("waited for %x in vain\n", conditions);
                    fail();
                }
                if (g_has_pump_thread)
                    usleep(100);
                else
                    afd::Pump::instance().run(5);
            }
        }
    }

    Side listener;
    Side client;
    Side server;
    NTSTATUS status = STATUS_SUCCESS; // of the last failure

private:
    bool succeeded(NTSTATUS result)
    {
        if (NT_SUCCESS(result))
            return true;
        status = result;
        return false;
    }

    bool make_listener()
    {
        afd::HostSocket socket;
        afd::Address address = loopback_address();
        if (!succeeded(socket.create(afd::kFamilyInet, kStream, 0)))
            return false;
        const int small = 8192; // so that buffers fill soon
        const bool is_listening
            = succeeded(socket.set_option(SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)))
            && succeeded(socket.bind(address)) && succeeded(socket.listen(4))
            && succeeded(socket.local_name(m_address));
        if (!is_listening) {
            socket.close();
            return false;
        }
        return succeeded(
                   attach(socket, ntke::SocketState::Listening, kStream, 0, listener.endpoint))
            && succeeded(ke::Event::create(kNotificationEvent, false, listener.event))
            && succeeded(select(*listener.endpoint, listener.event, afd::kPollAccept));
    }

    bool make_client()
    {
        afd::HostSocket socket;
        if (!succeeded(socket.create(afd::kFamilyInet, kStream, 0)))
            return false;
        const int small = 8192;
        if (!succeeded(socket.set_option(SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)))) {
            socket.close();
            return false;
        }
        return succeeded(
                   attach(socket, ntke::SocketState::Unconnected, kStream, 0, client.endpoint))
            && succeeded(ke::Event::create(kSynchronizationEvent, false, client.event))
            && succeeded(select(*client.endpoint, client.event));
    }

    bool connect()
    {
        const NTSTATUS result = client.endpoint->socket().connect(m_address);
        if (!succeeded(result)) {
            unit::set_state(*client.endpoint, ntke::SocketState::ConnectFailed, 0, result, 0);
            wait_until_told(client, afd::kPollConnectFail);
            return false;
        }
        unit::set_state(*client.endpoint, ntke::SocketState::Connecting, 0, STATUS_SUCCESS, 0);
        wait_until_told(client, kOutcome);
        client.flags = ntke::kSocketConnected;
        return client.told & afd::kPollConnect;
    }

    bool accept()
    {
        wait_until_told(listener, afd::kPollAccept);
        afd::HostSocket accepted;
        afd::Address peer;
        if (!succeeded(listener.endpoint->socket().accept(accepted, &peer)))
            return false;
        unit::set_state(*listener.endpoint, ntke::SocketState::Listening, 0, STATUS_SUCCESS, 1);
        if (!succeeded(attach(accepted, ntke::SocketState::Connected, kStream, 0, server.endpoint)))
            return false;
        server.endpoint->inherit_selection(*listener.endpoint);
        return succeeded(ke::Event::create(kNotificationEvent, false, server.event))
            && succeeded(select(*server.endpoint, server.event));
    }

    bool send_all(Side& from, const uint8_t* bytes, size_t length)
    {
        for (size_t done = 0; done < length;) {
            size_t sent = 0;
            const NTSTATUS result = send(*from.endpoint, bytes + done, length - done, 0, &sent);
            done += sent;
            if (result == STATUS_DEVICE_NOT_READY)
                wait_until_told(from, afd::kPollSend | kEnd);
            else if (!succeeded(result))
                return false;
        }
        return true;
    }
    /// Reads what there is, then waits for more, as programs do.
    bool receive_all(Side& to, uint8_t* bytes, size_t length)
    {
        for (size_t done = 0; done < length;) {
            size_t received = 0;
            const NTSTATUS result
                = receive(*to.endpoint, bytes + done, length - done, 0, &received);
            done += received;
            if (result == STATUS_DEVICE_NOT_READY)
                wait_until_told(to, afd::kPollReceive | kEnd);
            else if (!succeeded(result))
                return false;
            else if (!received)
                return succeeded(STATUS_LOCAL_DISCONNECT);
        }
        return true;
    }

    bool transfer()
    {
        uint8_t sent[kLength];
        uint8_t received[kLength] = {};
        for (size_t i = 0; i < kLength; ++i)
            sent[i] = static_cast<uint8_t>(i * 7);
        if (!send_all(client, sent, kLength) || !receive_all(server, received, kLength))
            return false;
        assert_memory_equal(received, sent, kLength);
        return true;
    }

    bool send_urgent()
    {
        size_t moved = 0;
        if (!succeeded(send(*server.endpoint, "u", 1, kMsgOob, &moved)))
            return false;
        uint8_t byte = 0;
        wait_until_told(client, afd::kPollReceiveExpedited | kEnd);
        if (!succeeded(receive(*client.endpoint, &byte, 1, kMsgOob, &moved)))
            return false;
        assert_int_equal(byte, 'u');
        return true;
    }

    bool fill_and_drain()
    {
        static uint8_t s_bytes[16384];
        size_t total = 0;
        NTSTATUS result;
        do {
            size_t sent = 0;
            result = send(*client.endpoint, s_bytes, sizeof(s_bytes), 0, &sent);
            total += sent;
        } while (NT_SUCCESS(result));
        if (result != STATUS_DEVICE_NOT_READY)
            return succeeded(result);
        while (total) {
            const size_t part = total < sizeof(s_bytes) ? total : sizeof(s_bytes);
            if (!receive_all(server, s_bytes, part))
                return false;
            total -= part;
        }
        wait_until_told(client, afd::kPollSend | kEnd);
        return true;
    }

    bool shut_down()
    {
        client.flags |= ntke::kSocketSendShutDown;
        unit::set_state(
            *client.endpoint, ntke::SocketState::Connected, client.flags, STATUS_SUCCESS, 0);
        if (!succeeded(client.endpoint->socket().shutdown(1)))
            return false;
        wait_until_told(server, kEnd);
        uint8_t byte;
        size_t received = 1;
        if (!succeeded(receive(*server.endpoint, &byte, 1, 0, &received)))
            return false;
        assert_int_equal(received, 0);
        // The other direction is open.
        uint8_t answer[4] = {};
        if (!send_all(server, reinterpret_cast<const uint8_t*>("ciao"), 4)
            || !receive_all(client, answer, 4))
            return false;
        assert_memory_equal(answer, "ciao", 4);
        return true;
    }

    afd::Address m_address;
};

const Conversation::Step Conversation::kSteps[]
    = { &Conversation::make_listener, &Conversation::make_client, &Conversation::connect,
          &Conversation::accept, &Conversation::transfer, &Conversation::send_urgent,
          &Conversation::fill_and_drain, &Conversation::shut_down };
static_assert(std::size(Conversation::kSteps) == Conversation::kStepCount);

} // namespace unit
