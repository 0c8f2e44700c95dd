// getsockopt and setsockopt: lengths, errors, SOL_SOCKET and IPPROTO_TCP.

#include "option_checks.h"
#include "sockets.h"

using namespace conformance;

namespace conformance {

void assert_option(SOCKET socket, int level, int name, DWORD expected, Where where)
{
    DWORD value = 0xAAAAAAAA;
    int length = sizeof(value);
    if (getsockopt(socket, level, name, reinterpret_cast<char*>(&value), &length))
        fail_at(where, "option %#x cannot be read: %d", name, WSAGetLastError());
    if (length != sizeof(value) || value != expected)
        fail_at(
            where, "option %#x is %#lx (%d bytes) instead of %#lx", name, value, length, expected);
}

} // namespace conformance

namespace {

int get(SOCKET socket, int level, int name, void* value, int* length)
{
    return getsockopt(socket, level, name, static_cast<char*>(value), length);
}

int set(SOCKET socket, int level, int name, const void* value, int length)
{
    return setsockopt(socket, level, name, static_cast<const char*>(value), length);
}

void what_is_no_socket_is_refused_first(void**) // [getsockopt/1] [setsockopt/1]
{
    int length = 0;

    assert_wsa_fails(
        get(INVALID_SOCKET, SOL_SOCKET, SO_TYPE, nullptr, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(
        get(0xDEAD0, 0x1234FFFF, SO_TYPE, nullptr, &length), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(
        set(INVALID_SOCKET, SOL_SOCKET, SO_DEBUG, nullptr, 0), SOCKET_ERROR, WSAENOTSOCK);
}

void an_unknown_level_is_invalid(void**) // [getsockopt/2] [setsockopt/2]
{
    const SOCKET socket = tcp_socket();
    for (const int level : { -1, 0x8000, 0x1234FFFF }) {
        DWORD value = 1;
        int length = sizeof(value);
        assert_wsa_fails(get(socket, level, 1, &value, &length), SOCKET_ERROR, WSAEINVAL);
        assert_wsa_fails(set(socket, level, 1, &value, sizeof(value)), SOCKET_ERROR, WSAEINVAL);
    }
}

void an_unknown_option_is_no_option(void**) // [getsockopt/2] [setsockopt/2]
{
    const SOCKET socket = tcp_socket();
    for (const int level : { SOL_SOCKET, int { IPPROTO_TCP }, int { IPPROTO_IP } }) {
        DWORD value = 1;
        int length = sizeof(value);
        assert_wsa_fails(get(socket, level, -1, &value, &length), SOCKET_ERROR, WSAENOPROTOOPT);
        assert_wsa_fails(
            set(socket, level, -1, &value, sizeof(value)), SOCKET_ERROR, WSAENOPROTOOPT);
    }
}

void a_success_clears_the_last_error(void**) // [getsockopt/14] [setsockopt/14]
{
    const SOCKET socket = tcp_socket();
    DWORD value;
    int length = sizeof(value);

    WSASetLastError(kPoison);
    assert_int_equal(get(socket, SOL_SOCKET, SO_RCVBUF, &value, &length), 0);
    assert_int_equal(WSAGetLastError(), 0);
    WSASetLastError(kPoison);
    assert_int_equal(get(socket, SOL_SOCKET, SO_TYPE, &value, &length), 0);
    assert_int_equal(WSAGetLastError(), 0);
    WSASetLastError(kPoison);
    assert_int_equal(set(socket, SOL_SOCKET, SO_RCVBUF, &value, sizeof(value)), 0);
    assert_int_equal(WSAGetLastError(), 0);
}

void no_buffer_is_a_fault(void**) // [getsockopt/4] [setsockopt/4]
{
    const SOCKET socket = tcp_socket();
    DWORD value = 0;
    int length = sizeof(value);

    assert_wsa_fails(get(socket, SOL_SOCKET, SO_RCVBUF, nullptr, &length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(get(socket, SOL_SOCKET, SO_RCVBUF, &value, nullptr), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        set(socket, SOL_SOCKET, SO_RCVBUF, nullptr, sizeof(value)), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        set(socket, SOL_SOCKET, SO_LINGER, nullptr, sizeof(LINGER)), SOCKET_ERROR, WSAEFAULT);
    length = 0;
    assert_wsa_fails(get(socket, SOL_SOCKET, SO_RCVBUF, &value, &length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(set(socket, IPPROTO_IP, IP_TTL, &value, 0), SOCKET_ERROR, WSAEFAULT);
}

void a_pointer_into_nowhere_is_a_fault(void**) // [getsockopt/4] [setsockopt/4]
{
    const SOCKET socket = tcp_socket();
    void* const nowhere = reinterpret_cast<void*>(1);
    int length = sizeof(DWORD);

    assert_wsa_fails(get(socket, SOL_SOCKET, SO_RCVBUF, nowhere, &length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        set(socket, SOL_SOCKET, SO_REUSEADDR, nowhere, sizeof(BOOL)), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        set(socket, IPPROTO_TCP, TCP_NODELAY, nowhere, sizeof(BOOL)), SOCKET_ERROR, WSAEFAULT);
}

void a_whole_number_needs_four_bytes(void**) // [getsockopt/4] [setsockopt/4]
{
    const SOCKET socket = tcp_socket();
    for (const int name : { SO_SNDBUF, SO_RCVBUF, SO_SNDTIMEO, SO_RCVTIMEO, SO_LINGER }) {
        DWORD value = 0;
        int length = 3;
        assert_wsa_fails(get(socket, SOL_SOCKET, name, &value, &length), SOCKET_ERROR, WSAEFAULT);
        assert_wsa_fails(set(socket, SOL_SOCKET, name, &value, 3), SOCKET_ERROR, WSAEFAULT);
        // More is fine, and the length that comes back is the value's.
        DWORD roomy[4] = {};
        length = sizeof(roomy);
        assert_wsa_ok(get(socket, SOL_SOCKET, name, roomy, &length));
        assert_int_equal(length, sizeof(DWORD));
        assert_wsa_ok(set(socket, SOL_SOCKET, name, roomy, sizeof(roomy)));
    }
}

void a_boolean_takes_any_length(void**) // [getsockopt/4] [setsockopt/4]
{
    const SOCKET socket = tcp_socket();
    char on[8] = { 1 };
    char off[8] = {};
    for (const int length : { 1, 2, 4, 8 }) {
        assert_wsa_ok(set(socket, SOL_SOCKET, SO_REUSEADDR, on, length));
        assert_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
        assert_wsa_ok(set(socket, SOL_SOCKET, SO_REUSEADDR, off, length));
        assert_option(socket, SOL_SOCKET, SO_REUSEADDR, 0);
    }
    assert_wsa_ok(set(socket, SOL_SOCKET, SO_REUSEADDR, on, 0));
    char byte = 0x7F;
    int length = 1;
    assert_wsa_ok(get(socket, SOL_SOCKET, SO_REUSEADDR, &byte, &length));
    assert_int_equal(length, 1);
    assert_int_equal(byte, 1);
}

void keepalive_and_nodelay_are_one_byte(void**) // [getsockopt/6] [setsockopt/6]
{
    const SOCKET socket = tcp_socket();
    struct {
        int level;
        int name;
    } const options[] = { { SOL_SOCKET, SO_KEEPALIVE }, { IPPROTO_TCP, TCP_NODELAY } };
    for (const auto& option : options) {
        DWORD value = 1;
        assert_wsa_ok(set(socket, option.level, option.name, &value, sizeof(value)));
        unsigned char bytes[4] = { 0xAA, 0xAA, 0xAA, 0xAA };
        int length = sizeof(bytes);
        assert_wsa_ok(get(socket, option.level, option.name, bytes, &length));
        assert_int_equal(length, 1);
        assert_int_equal(bytes[0], 1);
        assert_int_equal(bytes[1], 0xAA);
        value = 0x100; // Only the lowest byte counts.
        assert_wsa_ok(set(socket, option.level, option.name, &value, sizeof(value)));
        assert_wsa_ok(get(socket, option.level, option.name, bytes, &length));
        assert_int_equal(bytes[0], 0);
    }
}

void a_boolean_reads_back_as_one(void**) // [setsockopt/7]
{
    const SOCKET socket = tcp_socket();
    for (const int name : { SO_DEBUG, SO_REUSEADDR, SO_OOBINLINE }) {
        assert_option(socket, SOL_SOCKET, name, 0);
        set_option(socket, SOL_SOCKET, name, 2);
        assert_option(socket, SOL_SOCKET, name, 1);
    }
}

void the_type_is_read_only(void**) // [getsockopt/7] [setsockopt/8]
{
    const SOCKET tcp = tcp_socket();
    const SOCKET udp = udp_socket();
    DWORD value = SOCK_DGRAM;

    assert_option(tcp, SOL_SOCKET, SO_TYPE, SOCK_STREAM);
    assert_option(udp, SOL_SOCKET, SO_TYPE, SOCK_DGRAM);
    assert_wsa_fails(
        set(tcp, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), SOCKET_ERROR, WSAENOPROTOOPT);
    assert_wsa_fails(set(udp, SOL_SOCKET, SO_TYPE, &value, sizeof(value)), SOCKET_ERROR, WSAEINVAL);
}

void the_error_can_be_set_and_stays(void**) // [getsockopt/8]
{
    const SOCKET socket = tcp_socket();

    assert_option(socket, SOL_SOCKET, SO_ERROR, 0);
    set_option(socket, SOL_SOCKET, SO_ERROR, 1234);
    assert_option(socket, SOL_SOCKET, SO_ERROR, 1234);
    assert_option(socket, SOL_SOCKET, SO_ERROR, 1234);
    set_option(socket, SOL_SOCKET, SO_ERROR, 0);
    assert_option(socket, SOL_SOCKET, SO_ERROR, 0);
    char byte;
    int length = 1;
    assert_wsa_fails(get(socket, SOL_SOCKET, SO_ERROR, &byte, &length), SOCKET_ERROR, WSAEFAULT);
}

void a_reset_does_not_show_in_the_error(void**) // [getsockopt/8]
{
    const TcpPair pair = new_tcp_pair();
    reset_connection(pair.server);
    wait_until_readable(pair.client);

    assert_option(pair.client, SOL_SOCKET, SO_ERROR, 0);
    char byte;
    assert_wsa_fails(recv(pair.client, &byte, 1, 0), SOCKET_ERROR, WSAECONNRESET);
}

void a_listening_socket_accepts_connections(void**) // [getsockopt/9]
{
    const SOCKET fresh = tcp_socket();
    const Listener listener = new_listener();
    DWORD value = 1;

    assert_option(fresh, SOL_SOCKET, SO_ACCEPTCONN, 0);
    assert_option(listener.socket, SOL_SOCKET, SO_ACCEPTCONN, 1);
    assert_wsa_fails(
        set(fresh, SOL_SOCKET, SO_ACCEPTCONN, &value, sizeof(value)), SOCKET_ERROR, WSAENOPROTOOPT);
}

void reuse_and_exclusive_use_exclude_each_other(void**) // [setsockopt/9]
{
    const SOCKET reuse = tcp_socket();
    const SOCKET exclusive = tcp_socket();
    BOOL on = TRUE;

    set_option(reuse, SOL_SOCKET, SO_REUSEADDR, 1);
    assert_wsa_fails(
        set(reuse, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, &on, sizeof(on)), SOCKET_ERROR, WSAEINVAL);
    set_option(exclusive, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    assert_wsa_fails(
        set(exclusive, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), SOCKET_ERROR, WSAEINVAL);
}

void buffer_sizes_read_back_exactly(void**) // [setsockopt/10]
{
    const SOCKET socket = tcp_socket();
    for (const DWORD size : { 4096u, 0u, 0x123u, 100000u }) {
        set_option(socket, SOL_SOCKET, SO_SNDBUF, size);
        assert_option(socket, SOL_SOCKET, SO_SNDBUF, size);
        set_option(socket, SOL_SOCKET, SO_RCVBUF, size);
        assert_option(socket, SOL_SOCKET, SO_RCVBUF, size);
    }
}

void small_buffers_keep_no_stream_waiting(void**) // [setsockopt/23]
{
    const TcpPair pair = new_tcp_pair();
    constexpr int kLength = 4096;
    constexpr int kTimes = 3;
    set_option(pair.server, SOL_SOCKET, SO_RCVBUF, 1024);
    set_option(pair.client, SOL_SOCKET, SO_SNDBUF, 0);
    set_nonblocking(pair.client);

    char data[kLength] = {};
    for (int i = 0; i < kTimes; ++i)
        assert_int_equal(send(pair.client, data, kLength, 0), kLength);
    auto* received = static_cast<char*>(lasting_memory(kLength));
    for (int i = 0; i < kTimes; ++i) {
        Operation* operation = new_operation(new_event());
        operation->buffer = { kLength, received };
        DWORD bytes = 0, flags = 0;
        if (WSARecv(pair.server, &operation->buffer, 1, nullptr, &operation->flags,
                &operation->overlapped, nullptr))
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
        assert_true(
            WSAGetOverlappedResult(pair.server, &operation->overlapped, &bytes, TRUE, &flags));
        assert_int_equal(bytes, kLength);
    }
    assert_option(pair.server, SOL_SOCKET, SO_RCVBUF, 1024);
    assert_option(pair.client, SOL_SOCKET, SO_SNDBUF, 0);
}

void timeouts_read_back_exactly(void**) // [setsockopt/10]
{
    const SOCKET socket = tcp_socket();
    for (const int name : { SO_SNDTIMEO, SO_RCVTIMEO }) {
        assert_option(socket, SOL_SOCKET, name, 0);
        set_option(socket, SOL_SOCKET, name, 1234);
        assert_option(socket, SOL_SOCKET, name, 1234);
        set_option(socket, SOL_SOCKET, name, 0);
        assert_option(socket, SOL_SOCKET, name, 0);
    }
}

void conditional_accept_is_settled_by_listen(void**) // [setsockopt/27]
{
    const SOCKET socket = tcp_socket();
    assert_option(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 0);
    set_option(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 2);
    assert_option(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1);
    bind_to_loopback(socket);
    assert_wsa_ok(listen(socket, 1));
    const DWORD off = 0;
    assert_wsa_fails(setsockopt(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT,
                         reinterpret_cast<const char*>(&off), sizeof(off)),
        SOCKET_ERROR, WSAEINVAL);
    assert_option(socket, SOL_SOCKET, SO_CONDITIONAL_ACCEPT, 1);
}

void a_reused_port_is_random_already(void**) // [setsockopt/29]
{
    const SOCKET socket = tcp_socket();
    set_option(socket, SOL_SOCKET, kSoReuseUnicastPort, 1);
    const DWORD on = 1;
    assert_wsa_fails(setsockopt(socket, SOL_SOCKET, kSoRandomizePort,
                         reinterpret_cast<const char*>(&on), sizeof(on)),
        SOCKET_ERROR, WSAEINVAL);
    set_option(socket, SOL_SOCKET, kSoReuseUnicastPort, 0);
    set_option(socket, SOL_SOCKET, kSoRandomizePort, 1);
}

void urgent_data_has_one_of_two_styles(void**) // [setsockopt/28]
{
    const SOCKET socket = tcp_socket();
    assert_option(socket, IPPROTO_TCP, kTcpBsdUrgent, 1);
    assert_option(socket, IPPROTO_TCP, TCP_EXPEDITED_1122, 0);
    set_option(socket, IPPROTO_TCP, TCP_EXPEDITED_1122, 1);
    assert_option(socket, IPPROTO_TCP, kTcpBsdUrgent, 0);
}

void low_water_marks_are_invalid(void**) // [getsockopt/10]
{
    const SOCKET socket = tcp_socket();
    for (const int name : { SO_SNDLOWAT, SO_RCVLOWAT }) {
        DWORD value = 1;
        int length = sizeof(value);
        assert_wsa_fails(get(socket, SOL_SOCKET, name, &value, &length), SOCKET_ERROR, WSAEINVAL);
        assert_wsa_fails(
            set(socket, SOL_SOCKET, name, &value, sizeof(value)), SOCKET_ERROR, WSAEINVAL);
    }
}

void linger_and_dont_linger_are_one_setting(void**) // [setsockopt/11]
{
    const SOCKET socket = tcp_socket();
    LINGER linger = { 1, 7 };
    assert_option(socket, SOL_SOCKET, SO_DONTLINGER, 1);

    assert_wsa_ok(set(socket, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    assert_option(socket, SOL_SOCKET, SO_DONTLINGER, 0);
    set_option(socket, SOL_SOCKET, SO_DONTLINGER, 1);
    int length = sizeof(linger);
    linger.l_onoff = 0xFFFF;
    assert_wsa_ok(get(socket, SOL_SOCKET, SO_LINGER, &linger, &length));
    assert_int_equal(linger.l_onoff, 0);
}

void the_switch_of_linger_reads_back_as_set(void**) // [setsockopt/20]
{
    const SOCKET socket = tcp_socket();
    constexpr LINGER kRows[] = { { 1, 3 }, { 0x100, 0 }, { 5, 189 } };
    for (const LINGER& row : kRows) {
        LINGER linger = {};
        int length = sizeof(linger);
        assert_wsa_ok(set(socket, SOL_SOCKET, SO_LINGER, &row, sizeof(row)));
        assert_option(socket, SOL_SOCKET, SO_DONTLINGER, 0);
        assert_wsa_ok(get(socket, SOL_SOCKET, SO_LINGER, &linger, &length));
        assert_int_equal(linger.l_onoff, row.l_onoff);
        assert_int_equal(linger.l_linger, row.l_linger);
    }
}

void a_datagram_socket_does_not_linger(void**) // [getsockopt/11]
{
    LINGER linger;
    int length = sizeof(linger);

    assert_wsa_fails(
        get(udp_socket(), SOL_SOCKET, SO_LINGER, &linger, &length), SOCKET_ERROR, WSAENOPROTOOPT);
}

void connect_time_is_unknown_without_a_connection(void**) // [getsockopt/12]
{
    assert_option(tcp_socket(), SOL_SOCKET, SO_CONNECT_TIME, 0xFFFFFFFF);
    assert_option(new_udp_pair().a, SOL_SOCKET, SO_CONNECT_TIME, 0xFFFFFFFF);
}

void connect_time_counts_seconds(void**) // [getsockopt/12]
{
    const TcpPair pair = new_tcp_pair();
    DWORD seconds = 0xFFFFFFFF;
    int length = sizeof(seconds);

    assert_wsa_ok(get(pair.client, SOL_SOCKET, SO_CONNECT_TIME, &seconds, &length));
    assert_int_not_equal(seconds, 0xFFFFFFFF);
}

void a_datagram_has_a_greatest_size(void**) // [getsockopt/13]
{
    DWORD size = 0;
    int length = sizeof(size);

    assert_wsa_ok(get(udp_socket(), SOL_SOCKET, SO_MAX_MSG_SIZE, &size, &length));
    assert_true(size == 65507 || size == 65527);
}

void the_protocol_info_describes_the_socket(void**) // [getsockopt/3]
{
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info);
    assert_wsa_ok(get(udp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOW, &info, &length));
    assert_int_equal(length, sizeof(info));
    assert_int_equal(info.iAddressFamily, AF_INET);
    assert_int_equal(info.iSocketType, SOCK_DGRAM);
    assert_int_equal(info.iProtocol, IPPROTO_UDP);
    assert_true(info.dwServiceFlags1 & XP1_CONNECTIONLESS);

    WSAPROTOCOL_INFOA narrow;
    length = sizeof(narrow);
    assert_wsa_ok(get(tcp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOA, &narrow, &length));
    assert_int_equal(length, sizeof(narrow));
    assert_int_equal(narrow.iProtocol, IPPROTO_TCP);
    assert_true(narrow.szProtocol[0]);
}

void the_protocol_info_of_a_raw_socket_is_for_all_protocols(void**) // [getsockopt/3]
{
    const SOCKET raw = raw_socket(AF_INET, IPPROTO_ICMP);
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info);

    assert_wsa_ok(get(raw, SOL_SOCKET, SO_PROTOCOL_INFOW, &info, &length));
    assert_int_equal(info.iAddressFamily, AF_INET);
    assert_int_equal(info.iSocketType, SOCK_RAW);
    assert_int_equal(info.iProtocol, 0);
    assert_int_equal(info.iProtocolMaxOffset, 255);
}

void a_protocol_info_that_does_not_fit_tells_its_size(void**) // [getsockopt/3]
{
    WSAPROTOCOL_INFOW info;
    int length = sizeof(info) - 1;

    assert_wsa_fails(
        get(tcp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOW, &info, &length), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(length, sizeof(info));
    length = sizeof(WSAPROTOCOL_INFOA) - 1;
    assert_wsa_fails(
        get(tcp_socket(), SOL_SOCKET, SO_PROTOCOL_INFOA, &info, &length), SOCKET_ERROR, WSAEFAULT);
    assert_int_equal(length, sizeof(WSAPROTOCOL_INFOA));
}

void the_bsp_state_holds_both_names(void**) // [getsockopt/15]
{
    const TcpPair pair = new_tcp_pair();
    struct {
        CSADDR_INFO info;
        char names[2 * sizeof(SOCKADDR_IN)];
    } state;
    int length = sizeof(state.info) + sizeof(state.names);

    assert_wsa_ok(get(pair.client, SOL_SOCKET, kSoBspState, &state, &length));
    assert_int_equal(state.info.iSocketType, SOCK_STREAM);
    assert_int_equal(state.info.iProtocol, IPPROTO_TCP);
    assert_int_equal(state.info.LocalAddr.iSockaddrLength, sizeof(SOCKADDR_IN));
    const auto* local = reinterpret_cast<SOCKADDR_IN*>(state.info.LocalAddr.lpSockaddr);
    const auto* remote = reinterpret_cast<SOCKADDR_IN*>(state.info.RemoteAddr.lpSockaddr);
    assert_int_equal(ntohs(local->sin_port), local_port(pair.client));
    assert_int_equal(ntohs(remote->sin_port), local_port(pair.server));
    length = sizeof(state.info) + sizeof(state.names) - 1;
    assert_wsa_fails(
        get(pair.client, SOL_SOCKET, kSoBspState, &state, &length), SOCKET_ERROR, WSAEFAULT);
}

void the_bsp_state_of_a_fresh_socket_has_no_names(void**) // [getsockopt/15]
{
    struct {
        CSADDR_INFO info;
        char names[2 * sizeof(SOCKADDR_IN)];
    } state;
    int length = sizeof(state.info) + sizeof(state.names);

    assert_wsa_ok(get(tcp_socket(), SOL_SOCKET, kSoBspState, &state, &length));
    assert_null(state.info.LocalAddr.lpSockaddr);
    assert_int_equal(state.info.LocalAddr.iSockaddrLength, 0);
    assert_null(state.info.RemoteAddr.lpSockaddr);
}

void the_open_type_belongs_to_the_thread(void**) // [setsockopt/12]
{
    assert_option(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, 0);
    set_option(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, SO_SYNCHRONOUS_NONALERT);
    assert_option(tcp_socket(), SOL_SOCKET, SO_OPENTYPE, SO_SYNCHRONOUS_NONALERT);
    const Outcome other = join(run_in_background([] {
        DWORD type = 0xAAAAAAAA;
        int length = sizeof(type);
        getsockopt(
            INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, reinterpret_cast<char*>(&type), &length);
        return static_cast<long long>(type);
    }));
    set_option(INVALID_SOCKET, SOL_SOCKET, SO_OPENTYPE, 0);

    assert_int_equal(other.value, 0);
}

void an_update_of_the_connect_context_needs_a_connection(void**) // [setsockopt/13]
{
    const TcpPair pair = new_tcp_pair();

    assert_wsa_ok(set(pair.client, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0));
    assert_wsa_fails(set(tcp_socket(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0),
        SOCKET_ERROR, WSAENOTCONN);
}

void keepalive_times_are_seconds(void**) // [setsockopt/15]
{
    const SOCKET socket = tcp_socket();
    DWORD value = 256;

    assert_option(socket, IPPROTO_TCP, kTcpKeepIdle, 7200);
    for (const int name : { kTcpKeepIdle, kTcpKeepIntvl, kTcpKeepCnt }) {
        set_option(socket, IPPROTO_TCP, name, 100);
        assert_option(socket, IPPROTO_TCP, name, 100);
        assert_wsa_fails(set(socket, IPPROTO_TCP, name, &value, 3), SOCKET_ERROR, WSAEFAULT);
    }
    set_option(socket, IPPROTO_TCP, kTcpKeepCnt, 255);
    assert_wsa_fails(
        set(socket, IPPROTO_TCP, kTcpKeepCnt, &value, sizeof(value)), SOCKET_ERROR, WSAEINVAL);
}

void a_file_is_no_socket(void**) // [getsockopt/1]
{
    wchar_t path[MAX_PATH];
    assert_int_not_equal(GetModuleFileNameW(nullptr, path, MAX_PATH), 0);
    const HANDLE file = owned(
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr));
    DWORD value;
    int length = sizeof(value);

    assert_wsa_fails(get(reinterpret_cast<SOCKET>(file), SOL_SOCKET, SO_TYPE, &value, &length),
        SOCKET_ERROR, WSAENOTSOCK);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(what_is_no_socket_is_refused_first),
    cmocka_unit_test(a_file_is_no_socket),
    cmocka_unit_test(an_unknown_level_is_invalid),
    cmocka_unit_test(an_unknown_option_is_no_option),
    cmocka_unit_test(a_success_clears_the_last_error),
    cmocka_unit_test(no_buffer_is_a_fault),
    cmocka_unit_test(a_pointer_into_nowhere_is_a_fault),
    cmocka_unit_test(a_whole_number_needs_four_bytes),
    cmocka_unit_test(a_boolean_takes_any_length),
    cmocka_unit_test(keepalive_and_nodelay_are_one_byte),
    cmocka_unit_test(a_boolean_reads_back_as_one),
    cmocka_unit_test(the_type_is_read_only),
    cmocka_unit_test(the_error_can_be_set_and_stays),
    cmocka_unit_test(a_reset_does_not_show_in_the_error),
    cmocka_unit_test(a_listening_socket_accepts_connections),
    cmocka_unit_test(reuse_and_exclusive_use_exclude_each_other),
    cmocka_unit_test(buffer_sizes_read_back_exactly),
    cmocka_unit_test(small_buffers_keep_no_stream_waiting),
    cmocka_unit_test(timeouts_read_back_exactly),
    cmocka_unit_test(conditional_accept_is_settled_by_listen),
    cmocka_unit_test(a_reused_port_is_random_already),
    cmocka_unit_test(urgent_data_has_one_of_two_styles),
    cmocka_unit_test(low_water_marks_are_invalid),
    cmocka_unit_test(linger_and_dont_linger_are_one_setting),
    cmocka_unit_test(the_switch_of_linger_reads_back_as_set),
    cmocka_unit_test(a_datagram_socket_does_not_linger),
    cmocka_unit_test(connect_time_is_unknown_without_a_connection),
    cmocka_unit_test(connect_time_counts_seconds),
    cmocka_unit_test(a_datagram_has_a_greatest_size),
    cmocka_unit_test(the_protocol_info_describes_the_socket),
    cmocka_unit_test(the_protocol_info_of_a_raw_socket_is_for_all_protocols),
    cmocka_unit_test(a_protocol_info_that_does_not_fit_tells_its_size),
    cmocka_unit_test(the_bsp_state_holds_both_names),
    cmocka_unit_test(the_bsp_state_of_a_fresh_socket_has_no_names),
    cmocka_unit_test(the_open_type_belongs_to_the_thread),
    cmocka_unit_test(an_update_of_the_connect_context_needs_a_connection),
    cmocka_unit_test(keepalive_times_are_seconds),
};

} // namespace

CONFORMANCE_GROUP(options, kCases);
