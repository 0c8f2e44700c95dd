#include "echo_client.h"

#include <vector>

namespace {

constexpr size_t kLargestBlock = 24 * 1024;

/// A generator with a period far beyond a demo's data; each client starts elsewhere.
unsigned next_random(unsigned& state)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/// Adler-32 continued over `size` bytes.
unsigned add_to_sum(unsigned sum, const char* data, size_t size)
{
    unsigned low = sum & 0xffff;
    unsigned high = sum >> 16;
    for (size_t i = 0; i < size; ++i) {
        low = (low + static_cast<unsigned char>(data[i])) % 65521;
        high = (high + low) % 65521;
    }
    return high << 16 | low;
}

bool fail(demo::Client& client, const char* call)
{
    client.failed_call = call;
    client.error = WSAGetLastError();
    return false;
}

bool exchange(demo::Client& client, SOCKET socket, const std::vector<char>& block)
{
    size_t sent = 0;
    while (sent < block.size()) {
        const int count
            = send(socket, block.data() + sent, static_cast<int>(block.size() - sent), 0);
        if (count <= 0)
            return fail(client, "send");
        sent += static_cast<size_t>(count);
    }
    client.sent_sum = add_to_sum(client.sent_sum, block.data(), block.size());

    std::vector<char> answer(block.size());
    size_t received = 0;
    while (received < answer.size()) {
        const int count
            = recv(socket, answer.data() + received, static_cast<int>(answer.size() - received), 0);
        if (count <= 0)
            return fail(client, count ? "recv" : "recv (the server closed early)");
        received += static_cast<size_t>(count);
    }
    client.echoed_sum = add_to_sum(client.echoed_sum, answer.data(), answer.size());
    client.echoed += received;
    for (size_t i = 0; i < block.size(); ++i)
        client.wrong += answer[i] != block[i];
    return true;
}

bool converse(demo::Client& client, SOCKET socket)
{
    unsigned state = client.number * 2654435761u + 1;
    unsigned long long left = client.bytes;
    while (left) {
        size_t size = 1 + next_random(state) % kLargestBlock;
        if (size > left)
            size = static_cast<size_t>(left);
        std::vector<char> block(size);
        for (char& byte : block)
            byte = static_cast<char>(next_random(state));
        if (!exchange(client, socket, block))
            return false;
        left -= size;
    }
    if (shutdown(socket, SD_SEND) != 0)
        return fail(client, "shutdown");
    char byte;
    if (recv(socket, &byte, 1, 0) != 0)
        return fail(client, "recv (more came back than was sent)");
    return true;
}

void connect_and_converse(demo::Client& client)
{
    const SOCKET socket = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (socket == INVALID_SOCKET) {
        fail(client, "socket");
        return;
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(client.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
        fail(client, "connect");
    else
        converse(client, socket);
    closesocket(socket);
}

} // namespace

DWORD WINAPI demo::run_client(void* parameter)
{
    auto& client = *static_cast<Client*>(parameter);
    client.sent_sum = client.echoed_sum = 1;
    connect_and_converse(client);
    if (InterlockedDecrement(client.running) == 0)
        WSASetEvent(client.all_ended);
    return 0;
}
