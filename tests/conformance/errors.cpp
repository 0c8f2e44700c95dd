// The matrix of bad handles: every kind of value that is no socket or no event, given to every
// event function and the main socket calls; and which error wins when several apply.

#include "child.h"
#include "peers.h"

#include <cstdio>
#include <cstring>

using namespace conformance;

namespace {

/// What a socket call is given in place of a socket.
enum class Bad { kNull, kInvalid, kGarbage, kClosed, kEvent, kFile, kForeign };

SOCKET bad_socket(Bad kind)
{
    switch (kind) {
    case Bad::kNull:
        return 0;
    case Bad::kInvalid:
        return INVALID_SOCKET;
    case Bad::kGarbage:
        return 0x00DEAD00;
    case Bad::kClosed: {
        const SOCKET socket = tcp_socket();
        close_owned(socket);
        return socket;
    }
    case Bad::kEvent:
        return reinterpret_cast<SOCKET>(new_event());
    case Bad::kFile: {
        wchar_t path[MAX_PATH];
        GetModuleFileNameW(nullptr, path, MAX_PATH);
        return reinterpret_cast<SOCKET>(owned(
            CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr)));
    }
    case Bad::kForeign: {
        // The value of a handle that is open in another process and not in this one.
        const Child child = start_child("wait", 0, false);
        HANDLE there = nullptr;
        for (int i = 0; i < 4096; ++i) {
            if (!DuplicateHandle(GetCurrentProcess(), child.input, child.process, &there, 0, FALSE,
                    DUPLICATE_SAME_ACCESS))
                break;
            DWORD flags;
            if (!GetHandleInformation(there, &flags))
                break;
        }
        write_to_child(child, "x", 1);
        exit_code_of(child);
        return reinterpret_cast<SOCKET>(there);
    }
    }
    return INVALID_SOCKET;
}

struct SocketCall {
    const char* name;
    /// Whether the call failed as its page says.
    bool (*failed)(SOCKET);
};

sockaddr_storage some_name;
int some_length;
char some_byte;
DWORD some_count;
DWORD some_flags;
WSABUF some_buffer = { 1, &some_byte };
WSANETWORKEVENTS some_events;

sockaddr* name()
{
    some_length = loopback_address(AF_INET, 9, &some_name);
    return as_name(some_name);
}

// Sorted by name.
const SocketCall kSocketCalls[] = {
    { "WSAAccept",
        [](SOCKET s) { return WSAAccept(s, nullptr, nullptr, nullptr, 0) == INVALID_SOCKET; } },
    { "WSAConnect",
        [](SOCKET s) {
            return WSAConnect(s, name(), sizeof(sockaddr_in), nullptr, nullptr, nullptr, nullptr)
                == SOCKET_ERROR;
        } },
    { "WSAEnumNetworkEvents",
        [](SOCKET s) { return WSAEnumNetworkEvents(s, nullptr, &some_events) == SOCKET_ERROR; } },
    { "WSAEventSelect", [](SOCKET s) { return WSAEventSelect(s, nullptr, 0) == SOCKET_ERROR; } },
    { "WSAGetOverlappedResult",
        [](SOCKET s) {
            WSAOVERLAPPED overlapped = {};
            return !WSAGetOverlappedResult(s, &overlapped, &some_count, FALSE, &some_flags);
        } },
    { "WSAIoctl",
        [](SOCKET s) {
            u_long value = 1;
            return WSAIoctl(
                       s, FIONBIO, &value, sizeof(value), nullptr, 0, &some_count, nullptr, nullptr)
                == SOCKET_ERROR;
        } },
    { "WSARecv",
        [](SOCKET s) {
            some_flags = 0;
            return WSARecv(s, &some_buffer, 1, &some_count, &some_flags, nullptr, nullptr)
                == SOCKET_ERROR;
        } },
    { "WSARecvFrom",
        [](SOCKET s) {
            some_flags = 0;
            return WSARecvFrom(s, &some_buffer, 1, &some_count, &some_flags, nullptr, nullptr,
                       nullptr, nullptr)
                == SOCKET_ERROR;
        } },
    { "WSASend",
        [](SOCKET s) {
            return WSASend(s, &some_buffer, 1, &some_count, 0, nullptr, nullptr) == SOCKET_ERROR;
        } },
    { "WSASendTo",
        [](SOCKET s) {
            return WSASendTo(s, &some_buffer, 1, &some_count, 0, name(), sizeof(sockaddr_in),
                       nullptr, nullptr)
                == SOCKET_ERROR;
        } },
    { "accept", [](SOCKET s) { return accept(s, nullptr, nullptr) == INVALID_SOCKET; } },
    { "bind", [](SOCKET s) { return bind(s, name(), sizeof(sockaddr_in)) == SOCKET_ERROR; } },
    { "closesocket", [](SOCKET s) { return closesocket(s) == SOCKET_ERROR; } },
    { "connect", [](SOCKET s) { return connect(s, name(), sizeof(sockaddr_in)) == SOCKET_ERROR; } },
    { "getpeername",
        [](SOCKET s) { return getpeername(s, name(), &some_length) == SOCKET_ERROR; } },
    { "getsockname",
        [](SOCKET s) { return getsockname(s, name(), &some_length) == SOCKET_ERROR; } },
    { "getsockopt",
        [](SOCKET s) {
            DWORD value;
            int length = sizeof(value);
            return getsockopt(s, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&value), &length)
                == SOCKET_ERROR;
        } },
    { "ioctlsocket",
        [](SOCKET s) {
            u_long value = 1;
            return ioctlsocket(s, FIONBIO, &value) == SOCKET_ERROR;
        } },
    { "listen", [](SOCKET s) { return listen(s, 1) == SOCKET_ERROR; } },
    { "recv", [](SOCKET s) { return recv(s, &some_byte, 1, 0) == SOCKET_ERROR; } },
    { "recvfrom",
        [](SOCKET s) { return recvfrom(s, &some_byte, 1, 0, nullptr, nullptr) == SOCKET_ERROR; } },
    { "send", [](SOCKET s) { return send(s, &some_byte, 1, 0) == SOCKET_ERROR; } },
    { "sendto",
        [](SOCKET s) {
            return sendto(s, &some_byte, 1, 0, name(), sizeof(sockaddr_in)) == SOCKET_ERROR;
        } },
    { "setsockopt",
        [](SOCKET s) {
            const DWORD value = 1;
            return setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, reinterpret_cast<const char*>(&value),
                       sizeof(value))
                == SOCKET_ERROR;
        } },
    { "shutdown", [](SOCKET s) { return shutdown(s, SD_BOTH) == SOCKET_ERROR; } },
};

/// Every call on that value; tells all that answer otherwise before it fails.
void refuse_everywhere(Bad kind)
{
    const SOCKET socket = bad_socket(kind);
    bool wrong = false;
    for (const SocketCall& call : kSocketCalls) {
        WSASetLastError(kPoison);
        const bool failed = call.failed(socket);
        const int error = WSAGetLastError();
        if (!failed || error != WSAENOTSOCK) {
            print_error("%s: %s with %d\n", call.name, failed ? "failed" : "succeeded", error);
            wrong = true;
        }
    }
    assert_false(wrong);
}

void no_call_takes_the_null_socket(void**) // [errors/1]
{
    refuse_everywhere(Bad::kNull);
}

void no_call_takes_the_invalid_socket(void**) // [errors/1]
{
    refuse_everywhere(Bad::kInvalid);
}

void no_call_takes_a_garbage_socket(void**) // [errors/1]
{
    refuse_everywhere(Bad::kGarbage);
}

void no_call_takes_a_closed_socket(void**) // [errors/1]
{
    refuse_everywhere(Bad::kClosed);
}

void no_call_takes_an_event_for_a_socket(void**) // [errors/2]
{
    refuse_everywhere(Bad::kEvent);
}

void no_call_takes_a_file_for_a_socket(void**) // [errors/2]
{
    refuse_everywhere(Bad::kFile);
}

void no_call_takes_another_processes_handle(void**) // [errors/1]
{
    refuse_everywhere(Bad::kForeign);
}

void a_refused_event_is_still_open(void**) // [errors/3]
{
    const WSAEVENT event = new_event();
    assert_wsa_fails(closesocket(reinterpret_cast<SOCKET>(event)), SOCKET_ERROR, WSAENOTSOCK);
    assert_true(WSASetEvent(event));
    assert_true(is_signaled(event));
}

void a_handle_of_a_socket_made_by_duplicatehandle_is_no_socket(void**) // [errors/4]
{
    const TcpPair pair = new_tcp_pair();
    HANDLE copy = nullptr;
    assert_true(DuplicateHandle(GetCurrentProcess(), reinterpret_cast<HANDLE>(pair.client),
        GetCurrentProcess(), &copy, 0, FALSE, DUPLICATE_SAME_ACCESS));
    owned(copy);
    WSAOVERLAPPED overlapped = {};
    DWORD bytes;
    DWORD flags;
    assert_wsa_fails(
        WSAGetOverlappedResult(reinterpret_cast<SOCKET>(copy), &overlapped, &bytes, FALSE, &flags),
        FALSE, WSAENOTSOCK);
}

// --- Events

void no_event_function_takes_a_handle_that_is_not_open(void**) // [errors/5]
{
    for (Bad kind : { Bad::kNull, Bad::kGarbage, Bad::kClosed, Bad::kForeign }) {
        const WSAEVENT event = reinterpret_cast<WSAEVENT>(bad_socket(kind));
        assert_wsa_fails(WSASetEvent(event), FALSE, WSA_INVALID_HANDLE);
        assert_wsa_fails(WSAResetEvent(event), FALSE, WSA_INVALID_HANDLE);
        assert_wsa_fails(WSACloseEvent(event), FALSE, WSA_INVALID_HANDLE);
        assert_wsa_fails(WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE), WSA_WAIT_FAILED,
            WSA_INVALID_HANDLE);
    }
}

void only_events_can_be_set_and_reset(void**) // [errors/6]
{
    const HANDLE others[] = { owned(CreateMutexW(nullptr, FALSE, nullptr)),
        owned(CreateSemaphoreW(nullptr, 0, 1, nullptr)),
        reinterpret_cast<HANDLE>(bad_socket(Bad::kFile)), reinterpret_cast<HANDLE>(tcp_socket()),
        GetCurrentProcess() };
    for (HANDLE other : others) {
        assert_wsa_fails(WSASetEvent(other), FALSE, WSA_INVALID_HANDLE);
        assert_wsa_fails(WSAResetEvent(other), FALSE, WSA_INVALID_HANDLE);
    }
}

void a_socket_selects_no_dead_event(void**) // [errors/7]
{
    const SOCKET socket = tcp_socket();
    assert_wsa_fails(WSAEventSelect(socket, nullptr, FD_READ), SOCKET_ERROR, WSAEINVAL);
    const WSAEVENT event = new_event();
    close_owned(event);
    assert_true(WSAEventSelect(socket, event, FD_READ) == SOCKET_ERROR);
}

// --- Which error wins

void the_socket_is_checked_before_the_pointers(void**) // [errors/8]
{
    int length = 0;
    DWORD bytes;
    assert_wsa_fails(bind(INVALID_SOCKET, nullptr, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(connect(INVALID_SOCKET, nullptr, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(accept(INVALID_SOCKET, nullptr, &length), INVALID_SOCKET, WSAENOTSOCK);
    assert_wsa_fails(getsockname(INVALID_SOCKET, nullptr, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(getpeername(INVALID_SOCKET, nullptr, nullptr), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(send(INVALID_SOCKET, nullptr, 1, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(recv(INVALID_SOCKET, nullptr, 1, 0), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(WSASend(INVALID_SOCKET, nullptr, 1, &bytes, 0, nullptr, nullptr), SOCKET_ERROR,
        WSAENOTSOCK);
    assert_wsa_fails(
        WSAEnumNetworkEvents(INVALID_SOCKET, nullptr, nullptr), SOCKET_ERROR, WSAENOTSOCK);
}

void the_socket_is_checked_before_the_values(void**) // [errors/8]
{
    assert_wsa_fails(shutdown(INVALID_SOCKET, 99), SOCKET_ERROR, WSAENOTSOCK);
    assert_wsa_fails(WSAEventSelect(INVALID_SOCKET, nullptr, FD_READ), SOCKET_ERROR, WSAENOTSOCK);
    char value;
    int length = sizeof(value);
    assert_wsa_fails(
        getsockopt(INVALID_SOCKET, 0x1234, 0x1234, &value, &length), SOCKET_ERROR, WSAENOTSOCK);
}

// --- Bad pointers

char* bad_pointer()
{
    return reinterpret_cast<char*>(16);
}

void bad_names_are_refused(void**) // [errors/9]
{
    const SOCKET socket = tcp_socket();
    auto* bad = reinterpret_cast<sockaddr*>(bad_pointer());
    assert_wsa_fails(bind(socket, bad, sizeof(sockaddr_in)), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(connect(socket, bad, sizeof(sockaddr_in)), SOCKET_ERROR, WSAEFAULT);
}

void bad_name_buffers_are_refused(void**) // [errors/9]
{
    const TcpPair pair = new_tcp_pair();
    auto* bad = reinterpret_cast<sockaddr*>(bad_pointer());
    int length = sizeof(sockaddr_in);
    assert_wsa_fails(getsockname(pair.client, bad, &length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(getpeername(pair.client, bad, &length), SOCKET_ERROR, WSAEFAULT);
}

void bad_option_buffers_are_refused(void**) // [errors/9]
{
    const SOCKET socket = tcp_socket();
    int length = sizeof(DWORD);
    assert_wsa_fails(
        getsockopt(socket, SOL_SOCKET, SO_TYPE, bad_pointer(), &length), SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, bad_pointer(), sizeof(DWORD)),
        SOCKET_ERROR, WSAEFAULT);
    assert_wsa_fails(
        ioctlsocket(socket, FIONBIO, reinterpret_cast<u_long*>(1)), SOCKET_ERROR, WSAEFAULT);
}

void a_bad_event_record_is_refused(void**) // [errors/9]
{
    assert_wsa_fails(WSAEnumNetworkEvents(tcp_socket(), nullptr, nullptr), SOCKET_ERROR, WSAEFAULT);
}

const CMUnitTest kCases[] = {
    cmocka_unit_test(no_call_takes_the_null_socket),
    cmocka_unit_test(no_call_takes_the_invalid_socket),
    cmocka_unit_test(no_call_takes_a_garbage_socket),
    cmocka_unit_test(no_call_takes_a_closed_socket),
    cmocka_unit_test(no_call_takes_an_event_for_a_socket),
    cmocka_unit_test(no_call_takes_a_file_for_a_socket),
    cmocka_unit_test(no_call_takes_another_processes_handle),
    cmocka_unit_test(a_refused_event_is_still_open),
    cmocka_unit_test(a_handle_of_a_socket_made_by_duplicatehandle_is_no_socket),
    cmocka_unit_test(no_event_function_takes_a_handle_that_is_not_open),
    cmocka_unit_test(only_events_can_be_set_and_reset),
    cmocka_unit_test(a_socket_selects_no_dead_event),
    cmocka_unit_test(the_socket_is_checked_before_the_pointers),
    cmocka_unit_test(the_socket_is_checked_before_the_values),
    cmocka_unit_test(bad_names_are_refused),
    cmocka_unit_test(bad_name_buffers_are_refused),
    cmocka_unit_test(bad_option_buffers_are_refused),
    cmocka_unit_test(a_bad_event_record_is_refused),
};

} // namespace

CONFORMANCE_GROUP(errors, kCases);
