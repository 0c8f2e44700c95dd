// Options whose effect shows in what is sent.

#include "option_checks.h"
#include "sockets.h"

using namespace conformance;

namespace {

constexpr int kTcpMaxRt = 5;
constexpr int kTcpMaxRtMs = 14;

void retransmission_times_are_kept(void**) // [setsockopt/32]
{
    const TcpPair pair = new_tcp_pair();
    for (const SOCKET socket : { tcp_socket(), pair.client, pair.server }) {
        for (const int name : { kTcpMaxRt, kTcpMaxRtMs }) {
            assert_option(socket, IPPROTO_TCP, name, 0xFFFFFFFF);
            for (const DWORD value : { 7ul, 5000000ul, 0ul, 0xFFFFFFFFul }) {
                set_option(socket, IPPROTO_TCP, name, value);
                assert_option(socket, IPPROTO_TCP, name, value);
            }
        }
    }
    send_text(pair.client, "x"); // which is answered in time
    char byte;
    receive_exactly(pair.server, &byte, 1);
}

/// The checksum of the next UDP datagram to the port that a raw socket of UDP receives.
unsigned short seen_checksum(SOCKET raw, unsigned short port)
{
    for (;;) {
        unsigned char packet[256];
        const int length = recv(raw, reinterpret_cast<char*>(packet), sizeof(packet), 0);
        const int header = (packet[0] & 15) * 4;
        if (length < header + 8)
            fail_at(Where::current(), "%d bytes: error %d", length, WSAGetLastError());
        const unsigned char* const udp = packet + header;
        if (((udp[2] << 8) | udp[3]) == port)
            return static_cast<unsigned short>((udp[6] << 8) | udp[7]);
    }
}

void a_datagram_can_go_without_a_checksum(void**) // [setsockopt/33]
{
    const SOCKET raw = raw_socket(AF_INET, IPPROTO_UDP);
    bind_to_loopback(raw);
    limit_receives(raw);
    const UdpPair pair = new_udp_pair();
    assert_option(pair.a, IPPROTO_UDP, UDP_NOCHECKSUM, FALSE);
    set_option(pair.a, IPPROTO_UDP, UDP_NOCHECKSUM, TRUE);
    assert_option(pair.a, IPPROTO_UDP, UDP_NOCHECKSUM, TRUE);
    send_text(pair.a, "x");
    assert_int_equal(seen_checksum(raw, local_port(pair.b)), 0);
    char byte;
    assert_int_equal(recv(pair.b, &byte, 1, 0), 1);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(retransmission_times_are_kept),
    cmocka_unit_test(a_datagram_can_go_without_a_checksum),
};

} // namespace

CONFORMANCE_GROUP(option_effects, kCases);
