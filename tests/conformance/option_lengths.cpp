// getsockopt and setsockopt: what each kind of option makes of the length that is given.

#include "option_checks.h"
#include "sockets.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr unsigned char kFill[] = { 0xEF, 0xBE, 0xAD, 0xDE };

struct Option {
    int level;
    int name;
    int type; // of the sockets that have it
    int family = AF_INET;
};

// The kinds of options. All can have the value 1.

constexpr Option kSocketBooleans[] = {
    { SOL_SOCKET, SO_BROADCAST, SOCK_DGRAM },
    { SOL_SOCKET, SO_DONTLINGER, SOCK_STREAM },
    { SOL_SOCKET, SO_OOBINLINE, SOCK_STREAM },
    { SOL_SOCKET, SO_REUSEADDR, SOCK_STREAM },
    { SOL_SOCKET, SO_EXCLUSIVEADDRUSE, SOCK_STREAM },
};

constexpr Option kSocketBytes[] = {
    { SOL_SOCKET, SO_KEEPALIVE, SOCK_STREAM },
    { SOL_SOCKET, SO_DONTROUTE, SOCK_STREAM },
};

constexpr Option kSocketSizes[] = {
    { SOL_SOCKET, SO_LINGER, SOCK_STREAM },
    { SOL_SOCKET, SO_SNDBUF, SOCK_STREAM },
    { SOL_SOCKET, SO_RCVBUF, SOCK_DGRAM },
};

constexpr Option kSocketTimes[] = {
    { SOL_SOCKET, SO_SNDTIMEO, SOCK_STREAM },
    { SOL_SOCKET, SO_RCVTIMEO, SOCK_DGRAM },
};

constexpr Option kProtocolBytes[] = {
    { IPPROTO_TCP, TCP_NODELAY, SOCK_STREAM },
    { IPPROTO_IPV6, IPV6_V6ONLY, SOCK_STREAM, AF_INET6 },
};

constexpr Option kProtocolNumbers[] = {
    { IPPROTO_IP, IP_TTL, SOCK_STREAM },
    { IPPROTO_IP, IP_TOS, SOCK_DGRAM },
    { IPPROTO_IP, IP_MULTICAST_TTL, SOCK_DGRAM },
    { IPPROTO_IP, IP_MULTICAST_LOOP, SOCK_DGRAM },
    { IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCK_STREAM, AF_INET6 },
    { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SOCK_DGRAM, AF_INET6 },
    { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, SOCK_DGRAM, AF_INET6 },
    { IPPROTO_IPV6, IPV6_DONTFRAG, SOCK_DGRAM, AF_INET6 },
};

constexpr Option kProtocolDwords[] = {
    { IPPROTO_IP, IP_PKTINFO, SOCK_DGRAM },
    { IPPROTO_IP, IP_RECVTOS, SOCK_DGRAM },
    { IPPROTO_IP, IP_RECVTTL, SOCK_DGRAM },
    { IPPROTO_IPV6, IPV6_PKTINFO, SOCK_DGRAM, AF_INET6 },
    { IPPROTO_IPV6, IPV6_HOPLIMIT, SOCK_DGRAM, AF_INET6 },
    { IPPROTO_IPV6, IPV6_RECVTCLASS, SOCK_DGRAM, AF_INET6 },
};

constexpr Option kKeepaliveDwords[] = {
    { IPPROTO_TCP, kTcpKeepIdle, SOCK_STREAM },
    { IPPROTO_TCP, kTcpKeepCnt, SOCK_STREAM },
    { IPPROTO_TCP, kTcpKeepIntvl, SOCK_STREAM },
};

/// What a get or set answers: 0 or the error.
int get_error(SOCKET socket, const Option& option, void* value, int* length)
{
    WSASetLastError(kPoison);
    return getsockopt(socket, option.level, option.name, static_cast<char*>(value), length)
        ? WSAGetLastError()
        : 0;
}

int set_error(SOCKET socket, const Option& option, const void* value, int length)
{
    WSASetLastError(kPoison);
    return setsockopt(socket, option.level, option.name, static_cast<const char*>(value), length)
        ? WSAGetLastError()
        : 0;
}

bool is_there(const Option& option)
{
    return option.family != AF_INET6 || has_ipv6();
}

SOCKET socket_with(const Option& option, Where where)
{
    return option.type == SOCK_STREAM ? tcp_socket(option.family, where)
                                      : udp_socket(option.family, where);
}

/// A fresh socket whose option is 1.
SOCKET socket_with_one(const Option& option, Where where)
{
    const SOCKET socket = socket_with(option, where);
    constexpr DWORD kOne = 1;
    if (const int error = set_error(socket, option, &kOne, sizeof(kOne)))
        fail_at(where, "option %#x cannot be set: %d", option.name, error);
    return socket;
}

/// What a get into `room` bytes gives.
struct Answer {
    int room;
    int error;
    int told; // as the length
    unsigned char bytes[4]; // of the buffer, afterwards
};

template <size_t kOptions, size_t kAnswers>
void assert_answers(const Option (&options)[kOptions], const Answer (&answers)[kAnswers],
    Where where = Where::current())
{
    for (const Option& option : options) {
        if (!is_there(option))
            continue;
        const SOCKET socket = socket_with_one(option, where);
        for (const Answer& answer : answers) {
            unsigned char bytes[sizeof(kFill)];
            memcpy(bytes, kFill, sizeof(kFill));
            int length = answer.room;
            const int error = get_error(socket, option, bytes, &length);
            if (error != answer.error || length != answer.told
                || memcmp(bytes, answer.bytes, sizeof(bytes)) != 0)
                fail_at(where, "option %#x into %d bytes: %d, %d told, %02x %02x %02x %02x",
                    option.name, answer.room, error, length, bytes[0], bytes[1], bytes[2],
                    bytes[3]);
        }
    }
}

/// Asserts what a set of length -1, 0 and 8 answers. One that succeeds has set the value.
template <size_t kOptions>
void assert_sets(const Option (&options)[kOptions], int negative_error, int empty_error,
    Where where = Where::current())
{
    struct {
        int length;
        int error;
    } const rows[] = { { -1, negative_error }, { 0, empty_error }, { 8, 0 } };
    constexpr DWORD kOff[2] = {};
    constexpr DWORD kOn[2] = { 1, 0 };
    for (const Option& option : options) {
        if (!is_there(option))
            continue;
        for (const auto& row : rows) {
            const SOCKET socket = socket_with(option, where);
            set_error(socket, option, kOff, sizeof(DWORD));
            const int error = set_error(socket, option, kOn, row.length);
            unsigned char value[4] = {};
            int length = sizeof(value);
            const int got = get_error(socket, option, value, &length);
            if (error != row.error || got || (!error && value[0] != 1))
                fail_at(where, "option %#x of length %d: %d, reads %02x (%d)", option.name,
                    row.length, error, value[0], got);
        }
    }
}

void a_short_get_of_a_boolean_is_filled(void**) // [getsockopt/4]
{
    static constexpr Answer kAnswers[] = {
        { 1, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
        { 2, 0, 1, { 1, 0, 0xAD, 0xDE } },
        { 3, 0, 1, { 1, 0, 0, 0xDE } },
        { 4, 0, 4, { 1, 0, 0, 0 } },
    };
    assert_answers(kSocketBooleans, kAnswers);
}

void an_option_of_one_byte_gives_one(void**) // [getsockopt/6]
{
    static constexpr Answer kAnswers[] = {
        { 1, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
        { 2, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
        { 4, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
    };
    assert_answers(kSocketBytes, kAnswers);
    assert_answers(kProtocolBytes, kAnswers);
}

void a_short_get_of_a_size_clears_the_buffer(void**) // [getsockopt/4]
{
    static constexpr Answer kAnswers[] = {
        { 1, WSAEFAULT, 1, { 0, 0xBE, 0xAD, 0xDE } },
        { 2, WSAEFAULT, 2, { 0, 0, 0xAD, 0xDE } },
        { 4, 0, 4, { 1, 0, 0, 0 } },
    };
    assert_answers(kSocketSizes, kAnswers);
}

void a_short_get_of_a_time_touches_nothing(void**) // [getsockopt/4]
{
    static constexpr Answer kAnswers[] = {
        { 1, WSAEFAULT, 1, { 0xEF, 0xBE, 0xAD, 0xDE } },
        { 2, WSAEFAULT, 2, { 0xEF, 0xBE, 0xAD, 0xDE } },
        { 4, 0, 4, { 1, 0, 0, 0 } },
    };
    assert_answers(kSocketTimes, kAnswers);
}

void a_short_get_of_a_protocols_number_is_one_byte(void**) // [getsockopt/4]
{
    static constexpr Answer kAnswers[] = {
        { 1, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
        { 2, 0, 1, { 1, 0xBE, 0xAD, 0xDE } },
        { 4, 0, 4, { 1, 0, 0, 0 } },
    };
    assert_answers(kProtocolNumbers, kAnswers);
}

constexpr Answer kDwordAnswers[] = {
    { 1, WSAEFAULT, 0, { 0xEF, 0xBE, 0xAD, 0xDE } },
    { 2, WSAEFAULT, 0, { 0xEF, 0xBE, 0xAD, 0xDE } },
    { 4, 0, 4, { 1, 0, 0, 0 } },
};

void a_short_get_of_a_protocols_dword_tells_nothing(void**) // [getsockopt/4]
{
    assert_answers(kProtocolDwords, kDwordAnswers);
}

void a_short_get_of_a_keepalive_time_tells_nothing(void**) // [getsockopt/4]
{
    assert_answers(kKeepaliveDwords, kDwordAnswers);
}

void the_socket_level_sets_values_of_odd_lengths(void**) // [setsockopt/4] [setsockopt/5]
{
    assert_sets(kSocketBooleans, 0, 0);
    assert_sets(kSocketSizes, 0, WSAEFAULT);
    assert_sets(kSocketTimes, 0, WSAEFAULT);
}

void an_option_of_one_byte_is_set_by_true_lengths_only(void**) // [setsockopt/4] [setsockopt/5]
{
    assert_sets(kSocketBytes, WSAENOBUFS, WSAEFAULT);
    assert_sets(kProtocolBytes, WSAENOBUFS, WSAEFAULT);
}

void a_protocols_options_are_set_by_true_lengths_only(void**) // [setsockopt/4] [setsockopt/5]
{
    assert_sets(kProtocolNumbers, WSAENOBUFS, WSAEFAULT);
    assert_sets(kProtocolDwords, WSAENOBUFS, WSAEFAULT);
}

void a_keepalive_time_is_set_by_true_lengths_only(void**) // [setsockopt/4] [setsockopt/5]
{
    assert_sets(kKeepaliveDwords, WSAENOBUFS, WSAEFAULT);
}

void assert_no_negative_get(const Option& option, Where where = Where::current())
{
    if (!is_there(option))
        return;
    const SOCKET socket = socket_with(option, where);
    for (const int room : { -1, 0 }) {
        char value[sizeof(DWORD)];
        int length = room;
        const int error = get_error(socket, option, value, &length);
        if (error != WSAEFAULT || length != room)
            fail_at(
                where, "option %#x into %d bytes: %d, %d told", option.name, room, error, length);
    }
}

void a_get_into_less_than_nothing_is_a_fault(void**) // [getsockopt/5]
{
    const auto check = [](const auto& options, Where where) {
        for (const Option& option : options)
            assert_no_negative_get(option, where);
    };
    check(kSocketBooleans, Where::current());
    check(kSocketBytes, Where::current());
    check(kSocketSizes, Where::current());
    check(kSocketTimes, Where::current());
    check(kProtocolBytes, Where::current());
    check(kProtocolNumbers, Where::current());
    check(kProtocolDwords, Where::current());
    check(kKeepaliveDwords, Where::current());
    assert_no_negative_get({ SOL_SOCKET, SO_TYPE, SOCK_STREAM });
    assert_no_negative_get({ SOL_SOCKET, SO_ERROR, SOCK_STREAM });
}

void the_open_type_has_any_room_but_none(void**) // [getsockopt/5]
{
    const Option type = { SOL_SOCKET, SO_OPENTYPE, SOCK_STREAM };
    DWORD value = 0xAAAAAAAA;
    int length = -1;

    assert_int_equal(get_error(INVALID_SOCKET, type, &value, &length), 0);
    assert_int_equal(length, sizeof(value));
    assert_int_equal(value, 0);
    length = 0;
    assert_int_equal(get_error(INVALID_SOCKET, type, &value, &length), WSAEFAULT);
}

void a_number_of_eight_bits_has_no_more(void**) // [setsockopt/21]
{
    static constexpr Option kOctets[] = {
        { IPPROTO_IP, IP_TTL, SOCK_STREAM },
        { IPPROTO_IP, IP_TOS, SOCK_DGRAM },
        { IPPROTO_IP, IP_MULTICAST_TTL, SOCK_DGRAM },
        { IPPROTO_IPV6, IPV6_UNICAST_HOPS, SOCK_STREAM, AF_INET6 },
        { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, SOCK_DGRAM, AF_INET6 },
    };
    for (const Option& option : kOctets) {
        if (!is_there(option))
            continue;
        const SOCKET socket = socket_with_one(option, Where::current());
        constexpr DWORD kTooMuch = 0x100;
        assert_int_equal(set_error(socket, option, &kTooMuch, sizeof(kTooMuch)), WSAEINVAL);
        assert_option(socket, option.level, option.name, 1);
    }
}

void a_structure_leaves_the_length_of_a_larger_buffer(void**) // [getsockopt/3] [getsockopt/15]
{
    const SOCKET socket = udp_socket();
    alignas(8) char room[2 * sizeof(WSAPROTOCOL_INFOW)];
    for (const int name : { SO_PROTOCOL_INFOA, SO_PROTOCOL_INFOW }) {
        int length = sizeof(room);
        assert_wsa_ok(getsockopt(socket, SOL_SOCKET, name, room, &length));
        assert_int_equal(length, sizeof(room));
    }
    int length = 128;
    assert_wsa_ok(getsockopt(socket, SOL_SOCKET, kSoBspState, room, &length));
    assert_int_equal(length, 128);
    length = sizeof(CSADDR_INFO);
    assert_wsa_fails(
        getsockopt(socket, SOL_SOCKET, kSoBspState, room, &length), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(length, sizeof(CSADDR_INFO));
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_short_get_of_a_boolean_is_filled),
    cmocka_unit_test(an_option_of_one_byte_gives_one),
    cmocka_unit_test(a_short_get_of_a_size_clears_the_buffer),
    cmocka_unit_test(a_short_get_of_a_time_touches_nothing),
    cmocka_unit_test(a_short_get_of_a_protocols_number_is_one_byte),
    cmocka_unit_test(a_short_get_of_a_protocols_dword_tells_nothing),
    cmocka_unit_test(a_short_get_of_a_keepalive_time_tells_nothing),
    cmocka_unit_test(the_socket_level_sets_values_of_odd_lengths),
    cmocka_unit_test(an_option_of_one_byte_is_set_by_true_lengths_only),
    cmocka_unit_test(a_protocols_options_are_set_by_true_lengths_only),
    cmocka_unit_test(a_keepalive_time_is_set_by_true_lengths_only),
    cmocka_unit_test(a_get_into_less_than_nothing_is_a_fault),
    cmocka_unit_test(the_open_type_has_any_room_but_none),
    cmocka_unit_test(a_number_of_eight_bits_has_no_more),
    cmocka_unit_test(a_structure_leaves_the_length_of_a_larger_buffer),
};

} // namespace

CONFORMANCE_GROUP(option_lengths, kCases);
