// WSASendMsg and WSARecvMsg.

#include "messages.h"

using namespace conformance;

namespace {

void send_greeting(SOCKET receiver, Where where = Where::current())
{
    Message* message = new_greeting(receiver);
    if (sendto(udp_socket(), "hello", 5, 0, message->header.name, message->header.namelen) != 5)
        fail_at(where, "sendto failed with %d", WSAGetLastError());
}

// --- WSASendMsg

void a_message_is_sent_to_its_name(void**) // [WSASendMsg/1]
{
    const SOCKET receiver = bound_receiver();
    Message* message = new_greeting(receiver);
    DWORD sent = 0;
    assert_wsa_ok(WSASendMsg(udp_socket(), &message->header, 0, &sent, nullptr, nullptr));
    assert_int_equal(sent, 5);
    char buffer[16];
    assert_int_equal(recv(receiver, buffer, sizeof(buffer), 0), 5);
    assert_memory_equal(buffer, "hello", 5);
}

void a_message_without_a_name_goes_to_the_peer(void**) // [WSASendMsg/1]
{
    const UdpPair pair = new_udp_pair();
    Message* message = new_greeting(pair.b);
    message->header.name = nullptr;
    message->header.namelen = 0;
    DWORD sent = 0;
    assert_wsa_ok(WSASendMsg(pair.a, &message->header, 0, &sent, nullptr, nullptr));
    limit_receives(pair.b);
    char buffer[16];
    assert_int_equal(recv(pair.b, buffer, sizeof(buffer), 0), 5);
}

void the_extension_function_sends_as_well(void**) // [WSASendMsg/1]
{
    const GUID guid = WSAID_WSASENDMSG;
    const SOCKET receiver = bound_receiver();
    const SOCKET sender = udp_socket();
    const auto send_message = reinterpret_cast<LPFN_WSASENDMSG>(extension_function(sender, guid));
    Message* message = new_greeting(receiver);
    DWORD sent = 0;
    assert_wsa_ok(send_message(sender, &message->header, 0, &sent, nullptr, nullptr));
    char buffer[16];
    assert_int_equal(recv(receiver, buffer, sizeof(buffer), 0), 5);
}

void sending_a_message_checks_the_socket_first(void**) // [WSASendMsg/2]
{
    assert_wsa_fails(WSASendMsg(INVALID_SOCKET, nullptr, 0, nullptr, nullptr, nullptr),
        SOCKET_ERROR, WSAENOTSOCK);
}

void sending_no_message_is_refused(void**) // [WSASendMsg/2]
{
    DWORD sent;
    assert_wsa_fails(
        WSASendMsg(udp_socket(), nullptr, 0, &sent, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
}

void sending_a_message_needs_a_place_for_the_count(void**) // [WSASendMsg/2]
{
    Message* message = new_greeting(bound_receiver());
    assert_wsa_fails(WSASendMsg(udp_socket(), &message->header, 0, nullptr, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void a_stream_sends_no_messages(void**) // [WSASendMsg/3]
{
    const TcpPair pair = new_tcp_pair();
    Message* message = new_greeting(pair.server);
    DWORD sent;
    assert_wsa_fails(WSASendMsg(pair.client, &message->header, 0, &sent, nullptr, nullptr),
        SOCKET_ERROR, WSAEINVAL);
}

void sending_a_message_binds_the_socket(void**) // [WSASendMsg/4]
{
    Message* message = new_greeting(bound_receiver());
    const SOCKET sender = udp_socket();
    DWORD sent;
    assert_wsa_ok(WSASendMsg(sender, &message->header, 0, &sent, nullptr, nullptr));
    assert_int_not_equal(local_port(sender), 0);
}

void a_refused_message_binds_the_socket_too(void**) // [WSASendMsg/4]
{
    Message* message = new_greeting(bound_receiver());
    const SOCKET sender = udp_socket();
    assert_wsa_fails(WSASendMsg(sender, &message->header, 0, nullptr, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
    assert_int_not_equal(local_port(sender), 0);
}

// --- WSARecvMsg

void a_message_is_received_with_its_name(void**) // [WSASendMsg/5]
{
    const SOCKET receiver = bound_receiver();
    Message* message = new_message();
    DWORD received = 0;
    send_greeting(receiver);
    assert_wsa_ok(recv_msg_of(receiver)(receiver, &message->header, &received, nullptr, nullptr));
    assert_int_equal(received, 5);
    assert_memory_equal(message->data, "hello", 5);
    assert_int_equal(message->header.namelen, sizeof(sockaddr_in));
    assert_int_equal(message->name.ss_family, AF_INET);
    assert_int_equal(message->header.dwFlags, 0);
}

void receiving_no_message_is_refused(void**) // [WSASendMsg/6]
{
    const SOCKET receiver = bound_receiver();
    DWORD received;
    send_greeting(receiver);
    assert_wsa_fails(recv_msg_of(receiver)(receiver, nullptr, &received, nullptr, nullptr),
        SOCKET_ERROR, WSAEFAULT);
}

void no_message_would_block(void**) // [WSASendMsg/6]
{
    const SOCKET receiver = bound_receiver();
    Message* message = new_message();
    DWORD received;
    set_nonblocking(receiver);
    assert_wsa_fails(recv_msg_of(receiver)(receiver, &message->header, &received, nullptr, nullptr),
        SOCKET_ERROR, WSAEWOULDBLOCK);
}

void packet_info_comes_as_control_data(void**) // [WSASendMsg/7]
{
    const SOCKET receiver = bound_receiver();
    set_option(receiver, IPPROTO_IP, IP_PKTINFO, 1);
    Message* message = new_message();
    message->header.Control = { sizeof(message->control), message->control };
    DWORD received = 0;
    send_greeting(receiver);
    assert_wsa_ok(recv_msg_of(receiver)(receiver, &message->header, &received, nullptr, nullptr));
    assert_int_equal(received, 5);
    assert_int_equal(message->header.Control.len, WSA_CMSG_SPACE(sizeof(in_pktinfo)));
    const auto* control = WSA_CMSG_FIRSTHDR(&message->header);
    assert_non_null(control);
    assert_int_equal(control->cmsg_level, IPPROTO_IP);
    assert_int_equal(control->cmsg_type, IP_PKTINFO);
    assert_int_equal(control->cmsg_len, WSA_CMSG_LEN(sizeof(in_pktinfo)));
    const auto* info = reinterpret_cast<const in_pktinfo*>(WSA_CMSG_DATA(control));
    assert_int_equal(info->ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
}

/// A receiver that was sent a message, and one with too little room for its control data.
struct CutShort {
    SOCKET receiver;
    Message* message;
};
CutShort greeted_with_too_little_room(Where where = Where::current())
{
    const SOCKET receiver = bound_receiver(AF_INET, where);
    set_option(receiver, IPPROTO_IP, IP_PKTINFO, 1);
    Message* message = new_message();
    message->header.Control = { 1, message->control };
    send_greeting(receiver, where);
    return { receiver, message };
}

void control_data_that_does_not_fit_truncates_the_message(void**) // [WSASendMsg/8]
{
    const auto [receiver, message] = greeted_with_too_little_room();
    DWORD received = 0;
    assert_wsa_fails(recv_msg_of(receiver)(receiver, &message->header, &received, nullptr, nullptr),
        SOCKET_ERROR, WSAEMSGSIZE);
    assert_true(message->header.dwFlags & MSG_CTRUNC);
}

void the_count_of_a_truncated_message_is_told(void**) // [WSASendMsg/8]
{
    const auto [receiver, message] = greeted_with_too_little_room();
    DWORD received = 0;
    assert_wsa_fails(recv_msg_of(receiver)(receiver, &message->header, &received, nullptr, nullptr),
        SOCKET_ERROR, WSAEMSGSIZE);
    assert_int_equal(received, 5);
}

void a_truncated_message_is_told_to_the_routine(void**) // [WSASendMsg/8]
{
    const auto [receiver, message] = greeted_with_too_little_room();
    Operation* operation = new_operation();
    routine_call = {};
    wait_until_readable(receiver);
    assert_wsa_fails(recv_msg_of(receiver)(receiver, &message->header, nullptr,
                         &operation->overlapped, record_completion),
        SOCKET_ERROR, WSA_IO_PENDING);
    assert_int_equal(SleepEx(kHangLimit, TRUE), WAIT_IO_COMPLETION);
    assert_int_equal(routine_call.calls, 1);
    assert_int_equal(routine_call.error, WSAEMSGSIZE);
    assert_int_equal(routine_call.transferred, 5);
}

void a_pending_message_completes(void**) // [WSASendMsg/9]
{
    const SOCKET receiver = bound_receiver();
    Message* message = new_message();
    Operation* operation = new_operation(new_event());
    assert_wsa_fails(
        recv_msg_of(receiver)(receiver, &message->header, nullptr, &operation->overlapped, nullptr),
        SOCKET_ERROR, WSA_IO_PENDING);
    send_greeting(receiver);
    assert_becomes_signaled(operation->overlapped.hEvent);
    assert_int_equal(operation->overlapped.Internal, 0);
    assert_int_equal(operation->overlapped.InternalHigh, 5);
    assert_memory_equal(message->data, "hello", 5);
}

/// The two ways to give a message nothing, and a length of it.
void give_length_of_nothing(WSAMSG& message, bool is_name)
{
    if (is_name) {
        message.name = nullptr;
        message.namelen = sizeof(sockaddr_in);
    } else {
        message.Control = { 64, nullptr };
    }
}

void a_length_needs_something_to_be_the_length_of(void**) // [WSASendMsg/18]
{
    const UdpPair pair = new_udp_pair();
    const auto receive
        = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(pair.b, GUID WSAID_WSARECVMSG));
    for (const bool is_name : { true, false }) {
        char data = 'x';
        WSABUF buffer { 1, &data };
        WSAMSG message {};
        message.lpBuffers = &buffer;
        message.dwBufferCount = 1;
        give_length_of_nothing(message, is_name);
        DWORD count;
        assert_wsa_fails(
            WSASendMsg(pair.a, &message, 0, &count, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
        send_text(pair.a, "y");
        wait_until_readable(pair.b);
        assert_wsa_fails(
            receive(pair.b, &message, &count, nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
        char received = 0;
        assert_int_equal(recv(pair.b, &received, 1, 0), 1); // it is still there, and alone
        assert_int_equal(received, 'y');
    }
}

void a_stream_has_no_message_to_peek_at(void**) // [WSASendMsg/19]
{
    const TcpPair pair = new_tcp_pair();
    const auto receive
        = reinterpret_cast<LPFN_WSARECVMSG>(extension_function(pair.client, GUID WSAID_WSARECVMSG));
    send_text(pair.server, "x");
    wait_until_readable(pair.client);
    char data;
    WSABUF buffer { 1, &data };
    WSAMSG message {};
    message.lpBuffers = &buffer;
    message.dwBufferCount = 1;
    message.dwFlags = MSG_PEEK;
    DWORD count;
    assert_wsa_fails(
        receive(pair.client, &message, &count, nullptr, nullptr), SOCKET_ERROR, WSAEOPNOTSUPP);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(a_message_is_sent_to_its_name),
    cmocka_unit_test(a_message_without_a_name_goes_to_the_peer),
    cmocka_unit_test(the_extension_function_sends_as_well),
    cmocka_unit_test(sending_a_message_checks_the_socket_first),
    cmocka_unit_test(sending_no_message_is_refused),
    cmocka_unit_test(sending_a_message_needs_a_place_for_the_count),
    cmocka_unit_test(a_stream_sends_no_messages),
    cmocka_unit_test(sending_a_message_binds_the_socket),
    cmocka_unit_test(a_refused_message_binds_the_socket_too),
    cmocka_unit_test(a_message_is_received_with_its_name),
    cmocka_unit_test(receiving_no_message_is_refused),
    cmocka_unit_test(no_message_would_block),
    cmocka_unit_test(packet_info_comes_as_control_data),
    cmocka_unit_test(control_data_that_does_not_fit_truncates_the_message),
    cmocka_unit_test(the_count_of_a_truncated_message_is_told),
    cmocka_unit_test(a_truncated_message_is_told_to_the_routine),
    cmocka_unit_test(a_pending_message_completes),
    cmocka_unit_test(a_length_needs_something_to_be_the_length_of),
    cmocka_unit_test(a_stream_has_no_message_to_peek_at),
};

} // namespace

CONFORMANCE_GROUP(send_msg, kCases);
