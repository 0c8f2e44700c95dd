// Threads that stop in the middle of a receive: suspended, and resumed when data has come, or
// terminated. The rest of the process must be able to use every socket meanwhile and afterwards,
// the one of the receive too, and no byte may be lost that was sent when the thread no longer
// received.

#include "harness.h"
#include "loopback.h"
#include "thread.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

namespace stress {

namespace {

using bench::UniqueEvent;
using bench::UniqueSocket;

constexpr unsigned kOthers = 4;
constexpr size_t kMessage = 512;

/// Connections that are in use all the time.
class Others {
public:
    explicit Others(Dice& dice)
        : m_dice(dice)
        , m_event(WSACreateEvent())
    {
        for (unsigned i = 0; i < kOthers; ++i)
            renew(i);
    }
    /// Uses each of them, or replaces it.
    void use()
    {
        for (unsigned i = 0; i < kOthers; ++i) {
            if (!m_dice.below(3))
                renew(i);
            transfer(m_clients[i], m_servers[i]);
            transfer(m_servers[i], m_clients[i]);
        }
    }
    void transfer(const UniqueSocket& from, const UniqueSocket& to)
    {
        std::array<char, kMessage> sent;
        std::array<char, kMessage> received;
        m_dice.fill(sent.data(), sent.size());
        require(bench::send_all(from.get(), sent.data(), sent.size())
                && bench::recv_all(to.get(), received.data(), received.size()) && sent == received,
            "a transfer, or its bytes");
    }

private:
    void renew(unsigned i)
    {
        require(bench::connect_pair(m_clients[i], m_servers[i]), "making a connection");
        // A selection that comes and goes: the pump has the socket to look after.
        require(!WSAEventSelect(m_servers[i].get(), m_event.get(), FD_READ | FD_CLOSE)
                && !WSAEventSelect(m_servers[i].get(), nullptr, 0)
                && bench::set_nonblocking(m_servers[i].get(), false),
            "WSAEventSelect");
    }

    Dice& m_dice;
    UniqueEvent m_event;
    std::array<UniqueSocket, kOthers> m_clients;
    std::array<UniqueSocket, kOthers> m_servers;
};

/// A thread in a blocking receive of one message. Not a bench::Thread: it may be terminated.
class Receiver {
public:
    explicit Receiver(SOCKET socket)
        : m_socket(socket)
        , m_thread(CreateThread(nullptr, 0, run, this, 0, nullptr))
    {
        require(m_thread != nullptr, "CreateThread");
        while (!m_is_calling)
            SwitchToThread();
    }
    Receiver(const Receiver&) = delete;
    ~Receiver()
    {
        join();
        CloseHandle(m_thread);
    }
    /// Lets it get into the wait of the kernel. (Wine holds locks of its own on the way there, and
    /// they stay held when the thread is terminated.)
    static void give_time(Dice& dice) { Sleep(20 + dice.below(10)); }
    /// Lets it get anywhere on its way.
    static void give_any_time(Dice& dice)
    {
        for (const double end = now() + dice.below(5000) * 1e-6; now() < end;)
            SwitchToThread();
    }

    void suspend() { require(SuspendThread(m_thread) == 0, "SuspendThread"); }
    void resume() { require(ResumeThread(m_thread) == 1, "ResumeThread"); }
    void terminate() { require(TerminateThread(m_thread, 0), "TerminateThread"); }
    void join()
    {
        require(WaitForSingleObject(m_thread, INFINITE) == WAIT_OBJECT_0, "waiting for a thread");
    }
    bool has_received(const std::array<char, kMessage>& message) const
    {
        return m_has_received && m_message == message;
    }

    bool has_received_any() const { return m_has_received; }

private:
    static DWORD WINAPI run(void* self)
    {
        auto* receiver = static_cast<Receiver*>(self);
        receiver->m_is_calling = true;
        receiver->m_has_received
            = bench::recv_all(receiver->m_socket, receiver->m_message.data(), kMessage);
        return 0;
    }

    SOCKET m_socket;
    std::atomic<bool> m_is_calling = false;
    bool m_has_received = false;
    std::array<char, kMessage> m_message = {};
    HANDLE m_thread;
};

class Storm {
public:
    unsigned suspend_threads(double deadline)
    {
        unsigned rounds = 0;
        do {
            connect();
            Receiver receiver(m_server.get());
            Receiver::give_any_time(m_dice);
            m_activity.doing("suspending a thread");
            receiver.suspend();
            m_activity.doing("using other sockets while a thread is suspended");
            m_others.use();
            m_activity.doing("sending to a suspended thread");
            std::array<char, kMessage> message;
            m_dice.fill(message.data(), message.size());
            require(bench::send_all(m_client.get(), message.data(), message.size()), "send");
            m_others.use();
            receiver.resume();
            m_activity.doing("waiting for a thread that was suspended");
            receiver.join();
            require(receiver.has_received(message), "what a suspended thread received");
            end();
            ++rounds;
        } while (now() < deadline);
        return rounds;
    }

    /// The DLL waits for a moment for a call that does not end, so these are few.
    unsigned close_under_threads(double deadline)
    {
        unsigned rounds = 0;
        do {
            connect();
            Receiver receiver(m_server.get());
            Receiver::give_any_time(m_dice);
            m_activity.doing("suspending a thread");
            receiver.suspend();
            m_activity.doing("closing a socket under a suspended thread");
            end();
            m_others.use(); // on new sockets too, which may get its value
            receiver.resume();
            m_activity.doing("waiting for a thread whose socket was closed");
            receiver.join();
            require(!receiver.has_received_any(), "a receive on a closed socket");
            ++rounds;
        } while (now() < deadline);
        return rounds;
    }

    unsigned terminate_threads(double deadline)
    {
        unsigned rounds = 0;
        do {
            connect();
            {
                Receiver receiver(m_server.get());
                Receiver::give_time(m_dice);
                m_activity.doing("terminating a thread");
                receiver.terminate();
                m_activity.doing("waiting for a terminated thread");
            }
            m_activity.doing("receiving what a terminated thread cannot have");
            m_others.transfer(m_client, m_server);
            m_others.transfer(m_server, m_client);
            m_activity.doing("using other sockets after a thread was terminated");
            m_others.use();
            end();
            ++rounds;
        } while (now() < deadline);
        m_activity.doing("finished");
        return rounds;
    }

    /// A port is free again once its socket is closed, whoever was in a call on it.
    unsigned close_after_terminated_threads(double deadline)
    {
        unsigned rounds = 0;
        do {
            m_activity.doing("terminating a thread that receives datagrams");
            sockaddr_in address;
            UniqueSocket first(bench::bind_udp_on_loopback(address));
            {
                Receiver receiver(first.get());
                send_part(address);
                for (u_long waiting = 1; waiting;) // It has taken it, and waits for the rest.
                    require(!ioctlsocket(first.get(), FIONREAD, &waiting), "FIONREAD");
                Receiver::give_time(m_dice);
                receiver.terminate();
            }
            m_activity.doing("binding to a port again");
            first.reset();
            const UniqueSocket second(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
            require(
                !bind(second.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
                "a port that stays bound");
            ++rounds;
        } while (now() < deadline);
        return rounds;
    }

private:
    void connect()
    {
        m_activity.doing("making a connection");
        require(bench::connect_pair(m_client, m_server), "making a connection");
        if (m_dice.below(2))
            m_others.transfer(m_client, m_server);
    }
    static void send_part(const sockaddr_in& address)
    {
        const UniqueSocket sender(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
        require(sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&address),
                    sizeof(address))
                == 1,
            "sendto");
    }
    void end()
    {
        char byte;
        m_activity.doing("waiting for the end of a connection");
        m_server.reset();
        require(recv(m_client.get(), &byte, 1, 0) == 0, "the end of a connection");
        m_client.reset();
    }

    Dice m_dice { 9 };
    Activity& m_activity = *new Activity("storm"); // The watchdog may read it for ever.
    Others m_others { m_dice };
    UniqueSocket m_client;
    UniqueSocket m_server;
};

} // namespace

} // namespace stress

int main(int argc, char** argv)
{
    const stress::Options options = stress::start(argc, argv);
    auto storm = std::make_unique<stress::Storm>();
    storm->suspend_threads(stress::now() + 1);
    storm->close_under_threads(0); // What is made once per process may stay.
    const unsigned before = stress::count_handles();

    const double share = options.seconds / 4.0;
    const unsigned suspended = storm->suspend_threads(stress::now() + share);
    stress::note(std::to_string(suspended) + " threads suspended");
    stress::report(suspended > 0, "a_suspended_thread_keeps_nobody_waiting");

    const unsigned closed = storm->close_under_threads(stress::now() + share);
    stress::note(std::to_string(closed) + " sockets closed under them");
    stress::report(closed > 0, "a_suspended_thread_keeps_no_connection_open");
    stress::report_handles(before);

    const unsigned terminated = storm->terminate_threads(stress::now() + share);
    // What such a thread had open stays open, on Windows too.
    stress::note(std::to_string(terminated) + " threads terminated, "
        + std::to_string(stress::count_handles()) + " handles after that");
    stress::report(terminated > 0, "a_terminated_thread_takes_nothing_along");

    const unsigned bound = storm->close_after_terminated_threads(stress::now() + share);
    stress::note(std::to_string(bound) + " ports bound again");
    stress::report(bound > 0, "a_terminated_thread_keeps_no_port");
    return stress::finish();
}
