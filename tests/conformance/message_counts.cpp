// WSAAsyncSelect under load: as many messages as are due, and none twice. Sockets change hands
// meanwhile.

#include "message_window.h"
#include "peers.h"
#include "ports.h"

#include <array>
#include <random>

using namespace conformance;

namespace {

constexpr UINT kMessage = WM_APP + 9;
constexpr int kPairs = 12;
constexpr int kChunks = 60;
constexpr int kMostOfChunk = 40;
constexpr int kMostOfReceive = 16;

/// One selected socket, and what has come of it.
struct Counted {
    TcpPair pair;
    int reads = 0; // messages
    int writes = 0;
    int ends = 0;
    int bytes = 0;
};

std::array<Counted, kPairs> counted;
int sent_bytes; // on each connection

/// Sends to all of them in turn, and ends the connections.
long long send_chunks()
{
    std::minstd_rand dice(7);
    char data[kMostOfChunk] = {};
    for (int chunk = 0; chunk < kChunks; ++chunk) {
        const int length = static_cast<int>(1 + dice() % kMostOfChunk);
        for (const Counted& one : counted) {
            if (send(one.pair.client, data, length, 0) != length)
                return -1;
        }
        sent_bytes += length;
        if (chunk % 8 == 0)
            Sleep(1); // so that receives get ahead at times
    }
    for (const Counted& one : counted)
        shutdown(one.pair.client, SD_SEND);
    return 0;
}

Counted& counted_of(SOCKET socket)
{
    for (Counted& one : counted) {
        if (one.pair.server == socket)
            return one;
    }
    fail_at(Where::current(), "a message of a socket that was not selected");
}

/// Gives a socket another handle, or a port: whoever keeps its record, goes on with it.
void disturb(int number)
{
    const SOCKET socket = counted[number].pair.server;
    if (number % 3 == 0)
        duplicate_of(socket);
    else if (number % 3 == 1)
        associate(socket, new_port(), 1);
}

void take(const MSG& message, std::minstd_rand& dice)
{
    Counted& one = counted_of(static_cast<SOCKET>(message.wParam));
    assert_int_equal(WSAGETSELECTERROR(message.lParam), 0);
    switch (WSAGETSELECTEVENT(message.lParam)) {
    case FD_READ: {
        ++one.reads;
        char data[kMostOfReceive];
        const int received
            = recv(one.pair.server, data, static_cast<int>(1 + dice() % kMostOfReceive), 0);
        assert_true(received > 0); // nobody else receives
        one.bytes += received;
        break;
    }
    case FD_WRITE:
        ++one.writes;
        break;
    case FD_CLOSE:
        ++one.ends;
        break;
    default:
        fail_at(Where::current(), "an event that was not selected");
    }
}

bool is_over()
{
    for (const Counted& one : counted) {
        if (!one.ends || one.bytes != sent_bytes)
            return false;
    }
    return true;
}

/// Each read message is followed by one receive of a part, so each has data to receive, and there
/// is none without.
void no_message_is_lost_or_posted_twice(void**) // [WSAAsyncSelect/7] [WSAAsyncSelect/14]
{
    sent_bytes = 0;
    for (Counted& one : counted) {
        one = { .pair = new_tcp_pair() };
        assert_wsa_ok(
            WSAAsyncSelect(one.pair.server, window, kMessage, FD_READ | FD_WRITE | FD_CLOSE));
    }
    Background* sender = run_in_background(send_chunks);
    std::minstd_rand dice(11);
    int messages = 0;
    const ULONGLONG start = GetTickCount64();
    while (!has_ended(sender) || !is_over()) {
        MSG message;
        if (!PeekMessageW(&message, window, kMessage, kMessage, PM_REMOVE)) {
            if (GetTickCount64() - start > kHangLimit)
                fail_at(Where::current(), "a message is lost");
            MsgWaitForMultipleObjects(0, nullptr, FALSE, 10, QS_POSTMESSAGE);
            continue;
        }
        take(message, dice);
        if (++messages % 20 == 0 && messages / 20 <= kPairs)
            disturb(messages / 20 - 1);
    }
    assert_int_equal(join(sender).value, 0);
    let_it_settle();
    MSG message;
    while (PeekMessageW(&message, window, kMessage, kMessage, PM_REMOVE))
        take(message, dice);
    for (const Counted& one : counted) {
        assert_int_equal(one.writes, 1);
        assert_int_equal(one.ends, 1);
        assert_int_equal(one.bytes, sent_bytes);
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test_setup_teardown(
        no_message_is_lost_or_posted_twice, make_window, destroy_window),
};

} // namespace

CONFORMANCE_GROUP(message_counts, kCases);
