// The demo: an echo server that lives in one thread and waits for network events, and clients in
// threads of their own that check every byte. Ends with a table; the exit code is 0 only when every
// byte came back right.
//
//   event_echo [CLIENTS [KIB_PER_CLIENT]]

#include "echo_server.h"

#include "echo_client.h"
#include "module.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr unsigned kDefaultClients = 32;
constexpr unsigned kMostClients = WSA_MAXIMUM_WAIT_EVENTS - 2;
constexpr unsigned kDefaultKib = 256;

SOCKET listen_on_loopback(unsigned short& port)
{
    const SOCKET listener = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int length = sizeof(address);
    if (listener == INVALID_SOCKET
        || bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0
        || listen(listener, SOMAXCONN) != 0
        || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        fprintf(stderr, "no listening socket: error %d\n", WSAGetLastError());
        return INVALID_SOCKET;
    }
    port = ntohs(address.sin_port);
    return listener;
}

/// Prints the table and returns whether everything is right.
bool print_result(
    const std::vector<demo::Client>& clients, const demo::ServerCounts& counts, double seconds)
{
    unsigned long long wanted = 0;
    unsigned long long echoed = 0;
    unsigned long long wrong = 0;
    unsigned bad = 0;
    for (const demo::Client& client : clients) {
        wanted += client.bytes;
        echoed += client.echoed;
        wrong += client.wrong;
        if (client.failed_call) {
            printf(
                "client %u: %s failed with %d\n", client.number, client.failed_call, client.error);
            ++bad;
        } else if (client.sent_sum != client.echoed_sum || client.wrong) {
            printf("client %u: sent checksum %08x, got back %08x\n", client.number, client.sent_sum,
                client.echoed_sum);
            ++bad;
        }
    }
    printf("\n");
    printf("  clients            %10u   of which wrong %u\n", (unsigned)clients.size(), bad);
    printf("  bytes echoed       %10llu   of %llu, %llu wrong\n", echoed, wanted, wrong);
    printf("  server             %10u   connections in 1 thread\n", counts.connections);
    printf("  waits              %10u   WSAWaitForMultipleEvents\n", counts.waits);
    printf("  network events     %10u   accept, %u read, %u write, %u close\n",
        counts.events[FD_ACCEPT_BIT], counts.events[FD_READ_BIT], counts.events[FD_WRITE_BIT],
        counts.events[FD_CLOSE_BIT]);
    printf("  time               %10.2f   s, %.1f MB/s each way\n", seconds,
        static_cast<double>(echoed) / 1e6 / seconds);
    const bool right
        = !bad && !wrong && echoed == wanted && !counts.errors && counts.bytes == wanted;
    printf("  result             %10s\n", right ? "ok" : "WRONG");
    return right;
}

bool run(unsigned client_count, unsigned kib)
{
    unsigned short port = 0;
    const SOCKET listener = listen_on_loopback(port);
    if (listener == INVALID_SOCKET)
        return false;

    LARGE_INTEGER frequency, start, end;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&start);
    std::vector<demo::Client> clients(client_count);
    std::vector<HANDLE> threads;
    volatile LONG running = static_cast<LONG>(client_count);
    const WSAEVENT all_ended = WSACreateEvent();
    for (unsigned i = 0; i < client_count; ++i) {
        clients[i].number = i;
        clients[i].port = port;
        clients[i].running = &running;
        clients[i].all_ended = all_ended;
        clients[i].bytes = kib * 1024ull;
        threads.push_back(CreateThread(nullptr, 0, demo::run_client, &clients[i], 0, nullptr));
    }
    demo::ServerCounts counts;
    const bool served = demo::serve(listener, all_ended, counts);
    closesocket(listener);
    for (const HANDLE thread : threads) {
        WaitForSingleObject(thread, INFINITE);
        CloseHandle(thread);
    }
    WSACloseEvent(all_ended);
    QueryPerformanceCounter(&end);
    const double seconds = static_cast<double>(end.QuadPart - start.QuadPart)
        / static_cast<double>(frequency.QuadPart);
    return print_result(clients, counts, seconds) && served;
}

} // namespace

int main(int argc, char** argv)
{
    const int client_count = argc > 1 ? atoi(argv[1]) : static_cast<int>(kDefaultClients);
    const int kib = argc > 2 ? atoi(argv[2]) : static_cast<int>(kDefaultKib);
    if (client_count < 1 || client_count > static_cast<int>(kMostClients) || kib < 1) {
        fprintf(stderr, "usage: event_echo [CLIENTS [KIB_PER_CLIENT]]   (1 to %u clients)\n",
            kMostClients);
        return 2;
    }
    WSADATA data;
    if (const int error = WSAStartup(MAKEWORD(2, 2), &data)) {
        fprintf(stderr, "WSAStartup failed with %d\n", error);
        return 1;
    }
    demo::print_library();
    printf("  %d clients send %d KiB each to an event-driven echo server on 127.0.0.1\n",
        client_count, kib);
    fflush(stdout);
    const bool right = run(static_cast<unsigned>(client_count), static_cast<unsigned>(kib));
    WSACleanup();
    return right ? 0 : 1;
}
