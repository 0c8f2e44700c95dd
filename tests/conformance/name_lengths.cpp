// Lengths of names: nothing, less than nothing, too little and too much, for every call that takes
// or tells one.

#include "extensions.h"
#include "peers.h"

#include <climits>
#include <cstring>

using namespace conformance;

namespace {

constexpr int kWhole = sizeof(sockaddr_in);
constexpr int kTooShort[] = { 0, 1, 2, kWhole - 1 };
constexpr int kNegative[] = { -1, INT_MIN };
constexpr int kTooLong = sizeof(sockaddr_storage);

/// A call that takes a name. Returns whether it succeeded.
struct TakingRow {
    const char* name;
    bool (*call)(const sockaddr_storage& to, int length);
};

bool send_to(const sockaddr_storage& to, int length)
{
    return sendto(udp_socket(), "x", 1, 0, as_name(to), length) == 1;
}

bool wsa_send_to(const sockaddr_storage& to, int length)
{
    char data = 'x';
    WSABUF buffer { 1, &data };
    DWORD sent;
    return WSASendTo(udp_socket(), &buffer, 1, &sent, 0, as_name(to), length, nullptr, nullptr)
        == 0;
}

bool send_message(const sockaddr_storage& to, int length)
{
    char data = 'x';
    WSABUF buffer { 1, &data };
    WSAMSG message {};
    message.name = const_cast<sockaddr*>(as_name(to));
    message.namelen = length;
    message.lpBuffers = &buffer;
    message.dwBufferCount = 1;
    DWORD sent;
    return WSASendMsg(udp_socket(), &message, 0, &sent, nullptr, nullptr) == 0;
}

bool bind_any(const sockaddr_storage&, int length)
{
    sockaddr_storage name;
    loopback_address(AF_INET, 0, &name);
    return bind(tcp_socket(), as_name(name), length) == 0;
}

bool connect_stream(const sockaddr_storage& to, int length)
{
    return connect(tcp_socket(), as_name(to), length) == 0;
}

bool connect_datagrams(const sockaddr_storage& to, int length)
{
    return connect(udp_socket(), as_name(to), length) == 0;
}

bool wsa_connect(const sockaddr_storage& to, int length)
{
    return WSAConnect(tcp_socket(), as_name(to), length, nullptr, nullptr, nullptr, nullptr) == 0;
}

bool connect_later(const sockaddr_storage& to, int length)
{
    const SOCKET socket = tcp_socket();
    bind_to_loopback(socket);
    Operation* operation = new_operation();
    return connect_ex_of(socket)(
               socket, as_name(to), length, nullptr, 0, nullptr, &operation->overlapped)
        || WSAGetLastError() == WSA_IO_PENDING;
}

const TakingRow kTaking[] = {
    { "bind", bind_any },
    { "connect of a stream", connect_stream },
    { "connect of datagrams", connect_datagrams },
    { "WSAConnect", wsa_connect },
    { "ConnectEx", connect_later },
    { "sendto", send_to },
    { "WSASendTo", wsa_send_to },
    { "WSASendMsg", send_message },
};

template <size_t N> void assert_names_are_refused(const int (&lengths)[N])
{
    const Listener listener = new_listener();
    int wrong = 0;
    for (const TakingRow& row : kTaking) {
        for (const int length : lengths) {
            WSASetLastError(kPoison);
            const bool is_done = row.call(listener.address, length);
            if (is_done || WSAGetLastError() != WSAEFAULT) {
                print_error("%s, length %d: %s, %d\n", row.name, length,
                    is_done ? "done" : "failed", WSAGetLastError());
                ++wrong;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

void a_name_that_is_too_short_is_refused(void**) // [errors/11]
{
    assert_names_are_refused(kTooShort);
}

void a_name_of_less_than_nothing_is_refused(void**) // [errors/11]
{
    assert_names_are_refused(kNegative);
}

void a_name_may_have_room_to_spare(void**) // [errors/11]
{
    const Listener listener = new_listener();
    for (const TakingRow& row : kTaking) {
        if (!row.call(listener.address, kTooLong)) {
            print_error("%s: %d\n", row.name, WSAGetLastError());
            fail();
        }
    }
}

/// A call that tells a name, with this much room. Returns whether it succeeded.
struct TellingRow {
    const char* name;
    bool (*call)(sockaddr_storage& name, int& length);
};

bool tell_own(sockaddr_storage& name, int& length)
{
    const SOCKET socket = udp_socket();
    bind_to_loopback(socket);
    return getsockname(socket, as_name(name), &length) == 0;
}

bool tell_peer(sockaddr_storage& name, int& length)
{
    return getpeername(new_tcp_pair().client, as_name(name), &length) == 0;
}

bool tell_accepted(sockaddr_storage& name, int& length)
{
    const Listener listener = new_listener();
    connect_to(listener);
    wait_until_readable(listener.socket);
    const SOCKET accepted = accept(listener.socket, as_name(name), &length);
    if (accepted != INVALID_SOCKET)
        owned(accepted);
    return accepted != INVALID_SOCKET;
}

bool tell_sender(sockaddr_storage& name, int& length)
{
    const UdpPair pair = new_udp_pair();
    send_text(pair.a, "x");
    wait_until_readable(pair.b);
    char data;
    return recvfrom(pair.b, &data, 1, 0, as_name(name), &length) == 1;
}

bool wsa_tell_sender(sockaddr_storage& name, int& length)
{
    const UdpPair pair = new_udp_pair();
    send_text(pair.a, "x");
    wait_until_readable(pair.b);
    char data;
    WSABUF buffer { 1, &data };
    DWORD received;
    DWORD flags = 0;
    return WSARecvFrom(
               pair.b, &buffer, 1, &received, &flags, as_name(name), &length, nullptr, nullptr)
        == 0;
}

const TellingRow kTelling[] = {
    { "getsockname", tell_own },
    { "getpeername", tell_peer },
    { "accept", tell_accepted },
    { "recvfrom", tell_sender },
    { "WSARecvFrom", wsa_tell_sender },
};

template <size_t N> void assert_room_is_refused(const int (&lengths)[N])
{
    int wrong = 0;
    for (const TellingRow& row : kTelling) {
        for (const int given : lengths) {
            sockaddr_storage name;
            memset(&name, 0xAB, sizeof(name));
            int length = given;
            WSASetLastError(kPoison);
            const bool is_done = row.call(name, length);
            const int error = WSAGetLastError();
            const bool is_touched
                = length != given || static_cast<u_short>(name.ss_family) != 0xABAB;
            if (is_done || error != WSAEFAULT || is_touched) {
                print_error("%s, length %d: %s, %d, length %d\n", row.name, given,
                    is_done ? "done" : "failed", error, length);
                ++wrong;
            }
        }
    }
    assert_int_equal(wrong, 0);
}

void room_that_is_too_short_stays_as_it_is(void**) // [errors/11]
{
    assert_room_is_refused(kTooShort);
}

void room_of_less_than_nothing_stays_as_it_is(void**) // [errors/11]
{
    assert_room_is_refused(kNegative);
}

void room_to_spare_is_told_what_was_used(void**) // [errors/11]
{
    for (const TellingRow& row : kTelling) {
        sockaddr_storage name = {};
        int length = kTooLong;
        if (!row.call(name, length) || length != kWhole || name.ss_family != AF_INET) {
            print_error("%s: %d, length %d\n", row.name, WSAGetLastError(), length);
            fail();
        }
    }
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_name_that_is_too_short_is_refused),
    cmocka_unit_test(a_name_may_have_room_to_spare),
    cmocka_unit_test(room_that_is_too_short_stays_as_it_is),
    cmocka_unit_test(room_to_spare_is_told_what_was_used),
    cmocka_unit_test(room_of_less_than_nothing_stays_as_it_is),
    cmocka_unit_test(a_name_of_less_than_nothing_is_refused),
};

} // namespace

CONFORMANCE_GROUP(name_lengths, kCases);
