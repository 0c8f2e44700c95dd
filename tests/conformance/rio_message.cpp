// Messages of registered I/O: addresses, control data, flags, and datagrams of all sizes.

#include "peers.h"
#include "rio.h"

#include <cstring>

using namespace conformance;

namespace {

constexpr int kFamilies[] = { AF_INET, AF_INET6 };

bool is_there(int family)
{
    return family == AF_INET || has_ipv6();
}

/// A bound socket without a peer.
RioPeer new_rio_peer(int family, bool is_any = false)
{
    RioPeer peer {};
    peer.socket = rio_socket(family, SOCK_DGRAM);
    if (is_any) {
        sockaddr_storage any {};
        any.ss_family = static_cast<ADDRESS_FAMILY>(family);
        assert_wsa_ok(bind(peer.socket, as_name(any),
            family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)));
    } else {
        bind_to_loopback(peer.socket, family);
    }
    peer.queue = new_rio_queue();
    peer.requests = new_request_queue(peer.socket, peer.queue);
    peer.slab = new_slab();
    return peer;
}

constexpr ULONG kNameSize = sizeof(SOCKADDR_INET);

void check_name(const RioPeer& peer, ULONG offset, int family, unsigned short port)
{
    sockaddr_storage expected;
    const int length = loopback_address(family, port, &expected);
    const auto* name = reinterpret_cast<const SOCKADDR_INET*>(peer.slab.data + offset);
    assert_int_equal(name->si_family, family);
    assert_int_equal(name->Ipv4.sin_port, htons(port));
    if (family == AF_INET)
        assert_memory_equal(name, &expected, 8);
    else
        assert_memory_equal(
            &name->Ipv6.sin6_addr, &reinterpret_cast<sockaddr_in6*>(&expected)->sin6_addr, 16);
    static_cast<void>(length);
}

void addresses_go_with_datagrams(void**) // [RIO/24]
{
    for (const int family : kFamilies) {
        if (!is_there(family))
            continue;
        const RioPeer from = new_rio_peer(family);
        const RioPeer to = new_rio_peer(family);
        RioBuf data = to.slab.piece(0, 16);
        RioBuf local = to.slab.piece(100, kNameSize);
        RioBuf remote = to.slab.piece(200, kNameSize);
        assert_true(rio().RIOReceiveEx(
            to.requests, &data, 1, &local, &remote, nullptr, nullptr, 0, to.slab.data));
        std::memcpy(from.slab.data, "hello", 5);
        loopback_address(family, local_port(to.socket),
            reinterpret_cast<sockaddr_storage*>(from.slab.data + 100));
        RioBuf sent = from.slab.piece(0, 5);
        RioBuf name = from.slab.piece(100, kNameSize);
        assert_true(
            rio().RIOSendEx(from.requests, &sent, 1, nullptr, &name, nullptr, nullptr, 0, nullptr));
        expect_result(from.queue, 0, 5);
        expect_result(to.queue, reinterpret_cast<ULONG_PTR>(to.slab.data), 5);
        assert_memory_equal(to.slab.data, "hello", 5);
        check_name(to, 100, family, local_port(to.socket));
        check_name(to, 200, family, local_port(from.socket));
    }
}

void an_address_that_is_no_destination_is_refused(void**) // [RIO/32]
{
    const RioPeer peer = new_rio_peer(AF_INET);
    RioBuf data = peer.slab.piece(0, 5);
    RioBuf name = peer.slab.piece(100, kNameSize);
    auto* address = reinterpret_cast<sockaddr_in*>(peer.slab.data + 100);
    const auto send = [&] {
        return rio().RIOSendEx(
            peer.requests, &data, 1, nullptr, &name, nullptr, nullptr, 0, nullptr);
    };
    address->sin_port = htons(9);
    assert_wsa_fails(send(), FALSE, WSAEAFNOSUPPORT);
    address->sin_family = AF_INET6;
    assert_wsa_fails(send(), FALSE, WSAEAFNOSUPPORT);
    address->sin_family = AF_INET;
    assert_wsa_fails(send(), FALSE, WSAEADDRNOTAVAIL);
    // None of them counts.
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(send());
    expect_result(peer.queue, 0, 5);
    assert_no_result(peer.queue);
}

void port_zero_loses_datagrams(void**) // [RIO/32]
{
    const RioPeer peer = new_rio_peer(AF_INET);
    RioBuf data = peer.slab.piece(0, 5);
    RioBuf name = peer.slab.piece(100, kNameSize);
    loopback_address(AF_INET, 0, reinterpret_cast<sockaddr_storage*>(peer.slab.data + 100));
    assert_true(
        rio().RIOSendEx(peer.requests, &data, 1, nullptr, &name, nullptr, nullptr, 0, nullptr));
    expect_result(peer.queue, 0, 5);
}

void a_socket_of_all_addresses_tells_the_one_it_was(void**) // [RIO/24]
{
    const RioPeer from = new_rio_peer(AF_INET);
    const RioPeer to = new_rio_peer(AF_INET, true);
    RioBuf data = to.slab.piece(0, 16);
    RioBuf local = to.slab.piece(100, kNameSize);
    assert_true(
        rio().RIOReceiveEx(to.requests, &data, 1, &local, nullptr, nullptr, nullptr, 0, nullptr));
    loopback_address(
        AF_INET, local_port(to.socket), reinterpret_cast<sockaddr_storage*>(from.slab.data + 100));
    RioBuf sent = from.slab.piece(0, 5);
    RioBuf name = from.slab.piece(100, kNameSize);
    assert_true(
        rio().RIOSendEx(from.requests, &sent, 1, nullptr, &name, nullptr, nullptr, 0, nullptr));
    expect_result(to.queue, 0, 5);
    check_name(to, 100, AF_INET, local_port(to.socket));
}

void the_addresses_of_a_stream_are_its_names(void**) // [RIO/24]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_STREAM);
    RioBuf data = pair.a.slab.piece(0, 16);
    RioBuf local = pair.a.slab.piece(100, kNameSize);
    RioBuf remote = pair.a.slab.piece(200, kNameSize);
    assert_true(rio().RIOReceiveEx(
        pair.a.requests, &data, 1, &local, &remote, nullptr, nullptr, 0, nullptr));
    rio_send_text(pair.b, 0, "x", 1);
    expect_result(pair.a.queue, 0, 1);
    check_name(pair.a, 100, AF_INET, local_port(pair.a.socket));
    check_name(pair.a, 200, AF_INET, local_port(pair.b.socket));
}

void room_for_an_address_is_room_for_any(void**) // [RIO/5]
{
    const RioPeer peer = new_rio_peer(AF_INET);
    RioBuf data = peer.slab.piece(0, 16);
    RioBuf name = peer.slab.piece(100, sizeof(sockaddr_in));
    assert_wsa_fails(
        rio().RIOReceiveEx(peer.requests, &data, 1, nullptr, &name, nullptr, nullptr, 0, nullptr),
        FALSE, WSAEINVAL);
}

void a_datagram_can_be_received_without_its_data(void**) // [RIO/23]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    RioBuf remote = pair.a.slab.piece(200, kNameSize);
    assert_true(rio().RIOReceiveEx(
        pair.a.requests, nullptr, 0, nullptr, &remote, nullptr, nullptr, 0, nullptr));
    rio_receive(pair.a, 0, 16, 1);
    rio_send_text(pair.b, 0, "first", 1);
    rio_send_text(pair.b, 8, "second", 2);
    expect_result(pair.a.queue, 0, 0);
    check_name(pair.a, 200, AF_INET, local_port(pair.b.socket));
    expect_result(pair.a.queue, 1, 6);
    assert_memory_equal(pair.a.slab.data, "second", 6);
}

void control_data_come_in_a_buffer_of_their_own(void**) // [RIO/25]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    set_option(pair.a.socket, IPPROTO_IP, IP_PKTINFO, 1);
    RioBuf data = pair.a.slab.piece(0, 16);
    RioBuf control = pair.a.slab.piece(128, 128);
    RioBuf flags = pair.a.slab.piece(256, sizeof(DWORD));
    std::memset(pair.a.slab.data + 256, 0xFF, sizeof(DWORD));
    assert_true(rio().RIOReceiveEx(
        pair.a.requests, &data, 1, nullptr, nullptr, &control, &flags, 0, nullptr));
    rio_send_text(pair.b, 0, "x", 1);
    expect_result(pair.a.queue, 0, 1);
    const auto* head = reinterpret_cast<const sdk::RioControl*>(pair.a.slab.data + 128);
    assert_int_equal(head->total_length, sdk::kRioControlBase + WSA_CMSG_SPACE(sizeof(IN_PKTINFO)));
    const auto* message
        = reinterpret_cast<const WSACMSGHDR*>(pair.a.slab.data + 128 + sdk::kRioControlBase);
    assert_int_equal(message->cmsg_level, IPPROTO_IP);
    assert_int_equal(message->cmsg_type, IP_PKTINFO);
    DWORD told;
    std::memcpy(&told, pair.a.slab.data + 256, sizeof(told));
    assert_int_equal(told, 0);
}

void a_truncated_message_says_so_in_its_flags(void**) // [RIO/26]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    RioBuf data = pair.a.slab.piece(0, 4);
    RioBuf flags = pair.a.slab.piece(256, sizeof(DWORD));
    assert_true(rio().RIOReceiveEx(
        pair.a.requests, &data, 1, nullptr, nullptr, nullptr, &flags, 0, nullptr));
    rio_send_text(pair.b, 0, "too long", 1);
    const RioResult result = next_result(pair.a.queue);
    assert_int_equal(result.status, WSAEMSGSIZE);
    DWORD told;
    std::memcpy(&told, pair.a.slab.data + 256, sizeof(told));
    assert_int_equal(told & MSG_TRUNC, MSG_TRUNC);
}

/// Sends datagrams of these sizes in one batch; each must come as it was sent.
void send_batch(const RioPair& pair, const ULONG* sizes, ULONG count)
{
    for (ULONG i = 0; i < count; ++i)
        rio_receive(pair.b, 256 * i, 256, i, sdk::kRioDefer);
    assert_true(rio().RIOReceive(pair.b.requests, nullptr, 0, sdk::kRioCommitOnly, nullptr));
    for (ULONG i = 0; i < count; ++i) {
        std::memset(pair.a.slab.data + 256 * i, static_cast<int>('a' + i), 256);
        rio_send(pair.a, 256 * i, sizes[i], 100 + i, sdk::kRioDefer);
    }
    assert_true(rio().RIOSend(pair.a.requests, nullptr, 0, sdk::kRioCommitOnly, nullptr));
    for (ULONG i = 0; i < count; ++i) {
        expect_result(pair.a.queue, 100 + i, sizes[i]);
        expect_result(pair.b.queue, i, sizes[i]);
        for (ULONG at = 0; at < sizes[i]; ++at)
            assert_int_equal(pair.b.slab.data[256 * i + at], 'a' + i);
    }
}

void a_batch_keeps_each_datagram(void**) // [RIO/13]
{
    const RioPair pair = new_rio_pair(AF_INET, SOCK_DGRAM);
    constexpr ULONG kAlike[] = { 64, 64, 64, 64, 64, 64, 64, 64 };
    constexpr ULONG kLastShort[] = { 64, 64, 64, 64, 64, 10, 64, 64 };
    constexpr ULONG kMixed[] = { 1, 0, 200, 200, 200, 200, 201, 0 };
    send_batch(pair, kAlike, 8);
    send_batch(pair, kLastShort, 8);
    send_batch(pair, kMixed, 8);
}

constexpr CMUnitTest kCases[] = {
    cmocka_unit_test(addresses_go_with_datagrams),
    cmocka_unit_test(an_address_that_is_no_destination_is_refused),
    cmocka_unit_test(port_zero_loses_datagrams),
    cmocka_unit_test(a_socket_of_all_addresses_tells_the_one_it_was),
    cmocka_unit_test(the_addresses_of_a_stream_are_its_names),
    cmocka_unit_test(room_for_an_address_is_room_for_any),
    cmocka_unit_test(a_datagram_can_be_received_without_its_data),
    cmocka_unit_test(control_data_come_in_a_buffer_of_their_own),
    cmocka_unit_test(a_truncated_message_says_so_in_its_flags),
    cmocka_unit_test(a_batch_keeps_each_datagram),
};

} // namespace

CONFORMANCE_GROUP(rio_message, kCases);
