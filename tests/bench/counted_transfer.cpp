#include "counted.h"

namespace bench {

namespace {

using Fixture = CountedFixture;

bool send_one(SOCKET socket)
{
    return send(socket, "s", 1, 0) == 1;
}

bool recv_one(SOCKET socket)
{
    char byte = 0;
    return recv(socket, &byte, 1, 0) == 1 && byte == 's';
}

bool recv_nothing(SOCKET socket)
{
    char byte;
    return recv(socket, &byte, 1, 0) == SOCKET_ERROR && WSAGetLastError() == WSAEWOULDBLOCK;
}

bool send_datagram(Fixture& f)
{
    return sendto(f.left.get(), "s", 1, 0, reinterpret_cast<sockaddr*>(&f.right_address),
               sizeof(f.right_address))
        == 1;
}

bool recv_datagram(Fixture& f)
{
    sockaddr_in from = {};
    int length = sizeof(from);
    char byte = 0;
    return recvfrom(f.right.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length) == 1
        && byte == 's' && from.sin_port;
}

} // namespace

std::vector<CountedCall> counted_transfer_calls()
{
    return {
        { "send", nullptr, [](Fixture& f) { return send_one(f.client.get()); },
            [](Fixture& f) { return recv_one(f.server.get()); } },
        { "send (accepted)", nullptr, [](Fixture& f) { return send_one(f.server.get()); },
            [](Fixture& f) { return recv_one(f.client.get()); } },
        { "recv", [](Fixture& f) { return send_one(f.server.get()); },
            [](Fixture& f) { return recv_one(f.client.get()); }, nullptr },
        { "recv (accepted)", [](Fixture& f) { return send_one(f.client.get()); },
            [](Fixture& f) { return recv_one(f.server.get()); }, nullptr },
        { "recv (would block)", [](Fixture& f) { return set_nonblocking(f.client.get(), true); },
            [](Fixture& f) { return recv_nothing(f.client.get()); }, nullptr },
        { "sendto", nullptr, send_datagram, recv_datagram },
        { "recvfrom", send_datagram, recv_datagram, nullptr },
    };
}

} // namespace bench
