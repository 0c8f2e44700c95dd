// The two echo servers that are compared, and what their clients use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace bench_afd {

/// Sends back what its connections receive until their clients have closed. Runs threads of its
/// own, made by start() and joined by the destructor, before which the clients must close.
class EchoServer {
public:
    virtual ~EchoServer() = default;
    /// Where to connect; in network order.
    virtual uint16_t port() const = 0;
    /// Takes the connection that has just been made.
    virtual void accept_one() = 0;
    virtual void start() = 0;
};

/// By the Nt services: an event is selected for each connection; each thread waits for 64 of them
/// at most.
std::unique_ptr<EchoServer> new_event_server();
/// By epoll, level-triggered, in one thread: what one writes for Linux.
std::unique_ptr<EchoServer> new_epoll_server();

/// A connected, blocking socket of Linux.
int connect_raw(uint16_t port);
/// A listening one.
int listen_raw(uint16_t& port);
void send_raw(int socket, const void* data, size_t size);
void receive_raw(int socket, void* data, size_t size);

/// A server and its clients, which are blocking sockets of Linux.
class Conversation {
public:
    Conversation(std::unique_ptr<EchoServer> server, size_t connections);
    ~Conversation();
    /// One message on each connection, `messages` in all, which are then all waited for and
    /// compared.
    void exchange(uint64_t messages);

private:
    std::unique_ptr<EchoServer> m_server;
    std::vector<int> m_clients;
};

} // namespace bench_afd
