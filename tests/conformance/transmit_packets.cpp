// TransmitPackets.

#include "extensions.h"
#include "ports.h"

#include <cstring>

using namespace conformance;

namespace {

TRANSMIT_PACKETS_ELEMENT memory(const char* text, ULONG more_flags = 0)
{
    TRANSMIT_PACKETS_ELEMENT element = {};
    element.dwElFlags = TP_ELEMENT_MEMORY | more_flags;
    element.cLength = static_cast<ULONG>(strlen(text));
    element.pBuffer = const_cast<char*>(text);
    return element;
}

TRANSMIT_PACKETS_ELEMENT part(HANDLE file, LONGLONG offset, ULONG length, ULONG more_flags = 0)
{
    TRANSMIT_PACKETS_ELEMENT element = {};
    element.dwElFlags = TP_ELEMENT_FILE | more_flags;
    element.cLength = length;
    element.nFileOffset.QuadPart = offset;
    element.hFile = file;
    return element;
}

/// Calls it without OVERLAPPED.
template <size_t N>
BOOL transmit(SOCKET socket, TRANSMIT_PACKETS_ELEMENT (&elements)[N], DWORD send_size = 0,
    DWORD flags = 0, Where where = Where::current())
{
    return transmit_packets_of(socket, where)(socket, elements, N, send_size, nullptr, flags);
}

void packets_need_a_connected_socket(void**) // [TransmitPackets/1]
{
    TRANSMIT_PACKETS_ELEMENT elements[] = { memory("abc") };
    const auto function = transmit_packets_of(tcp_socket());

    assert_wsa_fails(function(INVALID_SOCKET, elements, 1, 0, nullptr, 0), FALSE, WSAENOTSOCK);
    for (const SOCKET socket : { tcp_socket(), udp_socket() })
        assert_wsa_fails(function(socket, elements, 1, 0, nullptr, 0), FALSE, WSAENOTCONN);
}

void elements_are_sent_in_their_order(void**) // [TransmitPackets/2]
{
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[] = { memory("a"), memory("bc"), memory("d"),
        part(file, 7, 3), part(file, 0, 2), memory("e"), memory(""), part(file, 4, 1) };
    for (const DWORD send_size : { 0U, 1U, 3U, 0xFFFFFFFFU }) {
        const TcpPair pair = new_tcp_pair();
        assert_true(transmit(pair.client, elements, send_size));
        assert_received(pair.server, "abcd78901e4");
    }
}

void no_elements_send_nothing(void**) // [TransmitPackets/2]
{
    const TcpPair pair = new_tcp_pair();
    assert_true(transmit_packets_of(pair.client)(pair.client, nullptr, 0, 0, nullptr, 0));
    assert_received(pair.server, "");
}

void a_part_may_be_all_or_start_at_the_file_pointer(void**) // [TransmitPackets/2]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    SetFilePointer(file, 6, nullptr, FILE_BEGIN);
    TRANSMIT_PACKETS_ELEMENT elements[]
        = { part(file, -1, 2), memory("-"), part(file, -1, 1), memory("-"), part(file, 5, 0) };

    assert_true(transmit(pair.client, elements));
    assert_received(pair.server, "67-8-56789");
}

void an_element_is_of_a_file_or_of_memory(void**) // [TransmitPackets/3]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[] = { part(file, 1, 2) };
    elements[0].dwElFlags = 0;
    assert_true(transmit(pair.client, elements));
    assert_received(pair.server, "12");

    elements[0].dwElFlags = TP_ELEMENT_FILE | TP_ELEMENT_MEMORY;
    assert_wsa_fails(transmit(pair.client, elements), FALSE, WSAEINVAL);
}

/// One that takes one request of the device's, one that takes more, and one without a file.
void an_overlapped_list_completes_once(void**) // [TransmitPackets/4]
{
    const HANDLE file = new_file("0123456789", false);
    struct {
        TRANSMIT_PACKETS_ELEMENT elements[5];
        DWORD count;
        const char* text;
    } lists[] = {
        { { memory("ab"), part(file, 0, 3), memory("c") }, 3, "ab012c" },
        { { part(file, 0, 3), part(file, 3, 2), memory("c"), memory("de"), part(file, 9, 1) }, 5,
            "01234cde9" },
        { { memory("x"), memory("yz"), memory("12") }, 3, "xyz12" },
    };
    for (auto& list : lists) {
        const PortPair p = new_port_pair();
        Operation* operation = new_operation();
        const BOOL is_done = transmit_packets_of(p.pair.server)(
            p.pair.server, list.elements, list.count, 0, &operation->overlapped, 0);
        if (!is_done)
            assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
        const Packet packet = next_packet(p.port);
        assert_true(packet.result);
        assert_ptr_equal(packet.overlapped, &operation->overlapped);
        assert_int_equal(packet.transferred, strlen(list.text));
        assert_int_equal(operation->overlapped.Internal, STATUS_SUCCESS);
        assert_received(p.pair.client, list.text);
        assert_no_packet(p.port);
    }
}

void the_event_of_a_list_is_set(void**) // [TransmitPackets/4]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[] = { part(file, 0, 3), part(file, 3, 2), memory("c") };
    Operation* operation = new_operation(new_event());

    const BOOL is_done
        = transmit_packets_of(pair.client)(pair.client, elements, 3, 0, &operation->overlapped, 0);
    if (!is_done)
        assert_int_equal(WSAGetLastError(), WSA_IO_PENDING);
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 6);
    assert_received(pair.server, "01234c");
}

void a_list_that_pends_is_sent_to_its_end(void**) // [TransmitPackets/4]
{
    constexpr LONG kHalf = 8 << 20;
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("", false);
    assert_int_equal(SetFilePointer(file, 2 * kHalf, nullptr, FILE_BEGIN), 2 * kHalf);
    assert_true(SetEndOfFile(file));
    TRANSMIT_PACKETS_ELEMENT elements[]
        = { part(file, 0, kHalf), memory("m"), part(file, kHalf, kHalf), memory("e") };
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(
        transmit_packets_of(pair.client)(pair.client, elements, 4, 0, &operation->overlapped, 0),
        FALSE, WSA_IO_PENDING);
    static char s_data[kHalf + 1];
    for (const char last : { 'm', 'e' }) {
        receive_exactly(pair.server, s_data, sizeof(s_data));
        assert_int_equal(s_data[kHalf - 1], 0);
        assert_int_equal(s_data[kHalf], last);
    }
    assert_int_equal(await_status(operation), STATUS_SUCCESS);
    assert_int_equal(operation->overlapped.InternalHigh, 2 * sizeof(s_data));
}

void closing_the_socket_ends_a_list(void**) // [TransmitPackets/4]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("", false);
    assert_int_equal(SetFilePointer(file, 32 << 20, nullptr, FILE_BEGIN), 32 << 20);
    assert_true(SetEndOfFile(file));
    TRANSMIT_PACKETS_ELEMENT elements[] = { part(file, 0, 0), part(file, 0, 0) };
    Operation* operation = new_operation(new_event());

    assert_wsa_fails(
        transmit_packets_of(pair.client)(pair.client, elements, 2, 0, &operation->overlapped, 0),
        FALSE, WSA_IO_PENDING);
    let_it_settle();
    close_owned(pair.client);
    assert_true(await_status(operation) < 0);
}

void closing_the_socket_ends_a_blocked_list(void**) // [TransmitPackets/4]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("", false);
    assert_int_equal(SetFilePointer(file, 32 << 20, nullptr, FILE_BEGIN), 32 << 20);
    assert_true(SetEndOfFile(file));
    const LPFN_TRANSMITPACKETS transmit = transmit_packets_of(pair.client);
    Background* blocked = run_in_background([=] {
        TRANSMIT_PACKETS_ELEMENT elements[] = { part(file, 0, 0), part(file, 0, 0) };
        return (long long)transmit(pair.client, elements, 2, 0, nullptr, 0);
    });
    wait_until_readable(pair.server);
    let_it_settle();
    close_owned(pair.client);
    assert_int_equal(join(blocked).value, FALSE);
}

void elements_make_datagrams(void**) // [TransmitPackets/5]
{
    const UdpPair pair = new_udp_pair();
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[] = { memory("ab"), memory("c", TP_ELEMENT_EOP),
        part(file, 2, 3), memory("d", TP_ELEMENT_EOP), memory("e") };

    assert_true(transmit(pair.a, elements, 0xFFFFFFFF));
    for (const char* expected : { "abc", "234d", "e" }) {
        char data[16] = {};
        wait_until_readable(pair.b);
        assert_int_equal(recv(pair.b, data, sizeof(data), 0), strlen(expected));
        assert_string_equal(data, expected);
    }
}

void disconnecting_ends_the_stream_after_the_list(void**) // [TransmitPackets/6]
{
    const TcpPair pair = new_tcp_pair();
    const UdpPair datagrams = new_udp_pair();
    const HANDLE file = new_file("0123456789", false);
    TRANSMIT_PACKETS_ELEMENT elements[] = { part(file, 0, 1), part(file, 1, 1) };
    char data[16];

    assert_wsa_fails(transmit(pair.client, elements, 0, TF_REUSE_SOCKET), FALSE, WSAEINVAL);
    assert_wsa_fails(transmit(datagrams.a, elements, 0, TF_DISCONNECT), FALSE, WSAEINVAL);
    assert_true(transmit(pair.client, elements, 0, TF_DISCONNECT));
    receive_exactly(pair.server, data, 2);
    wait_until_readable(pair.server);
    assert_int_equal(recv(pair.server, data, sizeof(data), 0), 0);
}

void what_is_not_there_is_not_sent(void**) // [TransmitPackets/7]
{
    const TcpPair pair = new_tcp_pair();
    const HANDLE file = new_file("0123456789", false);
    for (const auto& bad :
        { part(file, 8, 3), part(file, 11, 0), part(file, -7, 1), part(file, 20, 1) }) {
        TRANSMIT_PACKETS_ELEMENT elements[] = { memory("a"), bad };
        assert_wsa_fails(transmit(pair.client, elements), FALSE, WSAEINVAL);
    }
    TRANSMIT_PACKETS_ELEMENT large[] = { memory("a"), memory("b") };
    large[0].cLength = 0x7FFFFFFE;
    assert_wsa_fails(transmit(pair.client, large), FALSE, WSAEINVAL);
    assert_wsa_fails(transmit_packets_of(pair.client)(pair.client,
                         reinterpret_cast<TRANSMIT_PACKETS_ELEMENT*>(16), 1, 0, nullptr, 0),
        FALSE, WSAEFAULT);
    assert_received(pair.server, "");
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(packets_need_a_connected_socket),
    cmocka_unit_test(elements_are_sent_in_their_order),
    cmocka_unit_test(no_elements_send_nothing),
    cmocka_unit_test(a_part_may_be_all_or_start_at_the_file_pointer),
    cmocka_unit_test(an_element_is_of_a_file_or_of_memory),
    cmocka_unit_test(an_overlapped_list_completes_once),
    cmocka_unit_test(the_event_of_a_list_is_set),
    cmocka_unit_test(a_list_that_pends_is_sent_to_its_end),
    cmocka_unit_test(closing_the_socket_ends_a_list),
    cmocka_unit_test(closing_the_socket_ends_a_blocked_list),
    cmocka_unit_test(elements_make_datagrams),
    cmocka_unit_test(disconnecting_ends_the_stream_after_the_list),
    cmocka_unit_test(what_is_not_there_is_not_sent),
};

} // namespace

CONFORMANCE_GROUP(transmit_packets, kCases);
