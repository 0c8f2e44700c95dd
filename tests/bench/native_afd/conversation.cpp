// The clients' side.
#include <algorithm>
#include <array>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "echo_server.h"

namespace bench_afd {

namespace {

sockaddr_in loopback(uint16_t port)
{
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_port = port;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// 64 bytes that no other message has.
using Message = std::array<uint64_t, 8>;
Message message(uint64_t number)
{
    Message result;
    for (uint64_t& word : result)
        word = number = number * 0x9E3779B97F4A7C15 + 1;
    return result;
}

} // namespace

int connect_raw(uint16_t port)
{
    const sockaddr_in address = loopback(port);
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
        "a client's connect");
    return client;
}

int listen_raw(uint16_t& port)
{
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof(address);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0
            && listen(listener, 128) == 0
            && getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0,
        "a listener");
    port = address.sin_port;
    return listener;
}

void send_raw(int socket, const void* data, size_t size)
{
    check(send(socket, data, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size), "a client's send");
}

void receive_raw(int socket, void* data, size_t size)
{
    check(recv(socket, data, size, MSG_WAITALL) == static_cast<ssize_t>(size), "a client's recv");
}

Conversation::Conversation(std::unique_ptr<EchoServer> server, size_t connections)
    : m_server(std::move(server))
{
    for (size_t i = 0; i < connections; ++i) {
        m_clients.push_back(connect_raw(m_server->port()));
        m_server->accept_one();
    }
    m_server->start();
}

Conversation::~Conversation()
{
    for (const int client : m_clients)
        close(client);
}

void Conversation::exchange(uint64_t messages)
{
    for (uint64_t first = 0; first < messages; first += m_clients.size()) {
        const size_t count = std::min<uint64_t>(m_clients.size(), messages - first);
        for (size_t i = 0; i < count; ++i) {
            const Message sent = message(first + i);
            send_raw(m_clients[i], &sent, sizeof(sent));
        }
        for (size_t i = 0; i < count; ++i) {
            Message received;
            receive_raw(m_clients[i], &received, sizeof(received));
            check(received == message(first + i), "an echo is not what was sent");
        }
    }
}

} // namespace bench_afd
