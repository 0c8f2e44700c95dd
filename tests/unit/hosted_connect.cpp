// Sockets of a host that Linux has connected before the host is asked. The host here is one call of
// Linux on its own descriptor, as Wine's server makes it.
#include <cerrno>
#include <functional>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "afd/pump.h"
#include "afd/socket_file.h"
#include "ob/handle_table.h"
#include "sockets.h"

namespace {

using ntke::SocketState;
using unit::Name;

constexpr NTSTATUS kPassDown = ntke::kPassDown;

// --- The host

struct Host {
    int fd = -1; // of the socket that connects
    int last_errno = 0; // of its call of Linux
    uint32_t calls = 0;
    std::function<void()> before_call;
};
Host g_host;

NTSTATUS connect_by_host(uint64_t, const void* input, uint32_t length)
{
    if (const auto before = std::exchange(g_host.before_call, nullptr))
        before();
    ++g_host.calls;
    const auto* const name = static_cast<const char*>(input) + sizeof(afd::ConnectParams);
    const auto name_length = static_cast<socklen_t>(length - sizeof(afd::ConnectParams));
    const int result
        = connect(g_host.fd, reinterpret_cast<const sockaddr*>(name), name_length); // IPv4's form
    g_host.last_errno = result ? errno : 0;
    return result ? STATUS_CONNECTION_REFUSED : STATUS_SUCCESS;
}

Name name_of(int fd)
{
    Name name;
    socklen_t length = sizeof(name);
    assert_false(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length));
    return name;
}

int new_bound_socket(Name& name)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_false(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    name = name_of(fd);
    return fd;
}

int new_listener(Name& name, int backlog)
{
    const int fd = new_bound_socket(name);
    assert_false(listen(fd, backlog));
    return fd;
}

// --- A client of it

struct Request {
    afd::ConnectParams params;
    Name name;
    char data[4];
};

/// A stream socket of the host, with a handle.
class Client {
public:
    Client()
        : m_file(afd::SocketFile::make_hosted(4, io::File::Mode::Asynchronous))
    {
        g_host = {};
        g_host.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ntke::AttachArgs args {};
        args.family = unit::kInet;
        args.type = unit::kStream;
        args.state = static_cast<uint32_t>(SocketState::Unconnected);
        m_file->tell_created(args, false, nullptr);
        assert_status(ob::HandleTable::current().insert(
                          *m_file, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, 0, &m_handle),
            STATUS_SUCCESS);
    }
    ~Client()
    {
        m_file.reset();
        NtClose(m_handle);
        afd::Pump::instance().drain();
        close(g_host.fd);
    }
    afd::SocketFile* operator->() const { return m_file.get(); }

    void pass(ULONG code, uint32_t first)
    {
        afd::PassedRequest request { code, { first, 0, 0, 0 }, 0, 0, false, {} };
        m_file->note_passed_down(request);
        m_file->note_answered(request, STATUS_SUCCESS, 0);
    }
    Name bind_to_any()
    {
        sockaddr_in any {};
        any.sin_family = AF_INET;
        assert_false(bind(g_host.fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)));
        pass(afd::kIoctlBind, 0);
        return name_of(g_host.fd);
    }
    /// As the service: kPassDown where the host is to be asked as always.
    NTSTATUS connect_to(const Name& name, bool is_synchronous = true, ULONG data_length = 0)
    {
        Request request { { sizeof(name), is_synchronous }, name, { 'd', 'a', 't', 'a' } };
        const ULONG length = offsetof(Request, data) + data_length;
        const io::Parameters parameters { io::Operation::DeviceControl, afd::kIoctlConnect,
            &request, length, nullptr, 0 };
        return m_file->serves(parameters)
            ? unit::control(m_handle, afd::kIoctlConnect, &request, length)
            : kPassDown;
    }

private:
    ob::Ref<afd::SocketFile> m_file;
    HANDLE m_handle = nullptr;
};

void the_host_is_told_of_a_connection_that_is_made(void**)
{
    Name name;
    const int listener = new_listener(name, 8);
    Client client;
    assert_status(client.connect_to(name), STATUS_SUCCESS);
    assert_int_equal(g_host.calls, 1);
    assert_true(client->state() == SocketState::Connected);
    const int accepted = accept(listener, nullptr, nullptr);
    assert_true(accepted >= 0);
    close(accepted);
    close(listener);
}

/// A listener that resets what it accepts is connected to once for each connect.
void a_connection_that_is_reset_at_once_is_not_made_again(void**)
{
    constexpr int kConnects = 3000;
    Name name;
    const int listener = new_listener(name, 4096);
    Name of_last;
    const int last = new_bound_socket(of_last);
    int accepted = 0;
    std::thread resets([&] {
        constexpr linger kAtOnce { 1, 0 };
        for (Name peer;; ++accepted) {
            socklen_t length = sizeof(peer);
            const int fd = accept(listener, reinterpret_cast<sockaddr*>(&peer), &length);
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &kAtOnce, sizeof(kAtOnce));
            close(fd);
            if (peer.port == of_last.port)
                return;
        }
    });
    for (int i = 0; i < kConnects; ++i) {
        Client client;
        if (client.connect_to(name) != kPassDown)
            continue;
        const int of_host = socket(AF_INET, SOCK_STREAM, 0); // where it has taken too long
        assert_false(connect(of_host, reinterpret_cast<const sockaddr*>(&name), sizeof(name)));
        close(of_host);
    }
    assert_false(connect(last, reinterpret_cast<const sockaddr*>(&name), sizeof(name)));
    resets.join();
    close(last);
    close(listener);
    assert_int_equal(accepted, kConnects);
}

/// The call of Linux that the host then makes is its first: it goes on as if nothing had been.
void a_refusal_is_left_to_the_host(void**)
{
    Name name;
    close(new_listener(name, 8));
    Client client;
    assert_status(client.connect_to(name), kPassDown);
    assert_int_equal(g_host.calls, 0);
    assert_true(client->state() == SocketState::Unconnected);
    const Request request { { sizeof(name), 1 }, name, {} };
    connect_by_host(0, &request, offsetof(Request, data));
    assert_int_equal(g_host.last_errno, EINPROGRESS);
}

void what_takes_longer_is_left_to_the_host(void**)
{
    Name name;
    const int listener = new_listener(name, 0);
    std::vector<int> others;
    for (int i = 0; i < 4; ++i) { // until the queue is full
        others.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        connect(others.back(), reinterpret_cast<const sockaddr*>(&name), sizeof(name));
    }
    Client client;
    assert_status(client.connect_to(name), kPassDown);
    assert_int_equal(g_host.calls, 0);

    // And what Linux had begun is over: the host may connect to another one.
    Name free;
    const int free_listener = new_listener(free, 8);
    assert_status(client.connect_to(free), STATUS_SUCCESS);
    const int accepted = accept(free_listener, nullptr, nullptr);
    assert_true(accepted >= 0);
    others.insert(others.end(), { accepted, free_listener, listener });
    for (const int fd : others)
        close(fd);
}

/// The name that bind has told stays, although Linux has chosen the port.
void a_bound_socket_keeps_its_port(void**)
{
    Name nobody;
    close(new_listener(nobody, 8));
    Name somebody;
    const int listener = new_listener(somebody, 8);
    for (const bool is_synchronous : { true, false }) {
        Client client;
        const Name bound = client.bind_to_any();
        assert_status(client.connect_to(nobody, is_synchronous), kPassDown);
        // As the host would.
        connect(g_host.fd, reinterpret_cast<const sockaddr*>(&somebody), sizeof(somebody));
        Name peer;
        socklen_t length = sizeof(peer);
        const int accepted = accept(listener, reinterpret_cast<sockaddr*>(&peer), &length);
        assert_true(accepted >= 0);
        assert_int_equal(peer.port, bound.port);
        close(accepted);
    }
    close(listener);
}

/// Linux says it once: one of two that connect at the same time must not take that from the other.
void two_at_once_are_left_to_the_host(void**)
{
    Name name;
    const int listener = new_listener(name, 8);
    Client client;
    NTSTATUS of_second = STATUS_SUCCESS;
    g_host.before_call = [&] { of_second = client.connect_to(name); };
    assert_status(client.connect_to(name), STATUS_SUCCESS);
    assert_status(of_second, kPassDown);
    assert_int_equal(g_host.last_errno, 0);
    close(listener);
}

void only_what_waits_is_connected_ahead(void**)
{
    Name name;
    const int listener = new_listener(name, 8);
    {
        Client client;
        client.pass(afd::kIoctlFionbio, 1);
        assert_status(client.connect_to(name), kPassDown);
    }
    {
        Client client;
        client.pass(afd::kIoctlListen, 8);
        assert_status(client.connect_to(name), kPassDown);
    }
    {
        Client client;
        assert_status(client.connect_to(name, false), kPassDown); // it is not bound [ConnectEx/2]
    }
    {
        Client client;
        Name elsewhere = name;
        elsewhere.ip[0] = 192;
        assert_status(client.connect_to(elsewhere), kPassDown);
    }
    assert_int_equal(g_host.calls, 0);
    close(listener);
}

void first_data_follow_the_connection(void**)
{
    Name name;
    const int listener = new_listener(name, 8);
    Client client;
    client.pass(afd::kIoctlBind, 0);
    assert_status(client.connect_to(name, false, sizeof(Request::data)), STATUS_SUCCESS);
    assert_int_equal(g_host.calls, 1);
    const int accepted = accept(listener, nullptr, nullptr);
    char data[sizeof(Request::data)] {};
    assert_int_equal(recv(accepted, data, sizeof(data), MSG_WAITALL), sizeof(data));
    assert_memory_equal(data, "data", sizeof(data));
    close(accepted);
    close(listener);
}

/// The socket is closed while the host is asked: what the host says is what the program is told.
void an_error_of_the_host_is_told(void**)
{
    Name name;
    const int listener = new_listener(name, 8);
    Client client;
    g_host.before_call = [] { shutdown(g_host.fd, SHUT_RDWR); };
    assert_status(client.connect_to(name), STATUS_CONNECTION_REFUSED);
    assert_true(client->state() == SocketState::Unconnected);
    close(listener);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    afd::SocketFile::open_host_descriptor = [](uint64_t, int& fd) {
        fd = dup(g_host.fd);
        return fd >= 0 ? STATUS_SUCCESS : STATUS_TOO_MANY_OPENED_FILES;
    };
    afd::SocketFile::connect_by_host = connect_by_host;
    const CMUnitTest cases[] = {
        cmocka_unit_test(the_host_is_told_of_a_connection_that_is_made),
        cmocka_unit_test(a_connection_that_is_reset_at_once_is_not_made_again),
        cmocka_unit_test(a_refusal_is_left_to_the_host),
        cmocka_unit_test(what_takes_longer_is_left_to_the_host),
        cmocka_unit_test(a_bound_socket_keeps_its_port),
        cmocka_unit_test(two_at_once_are_left_to_the_host),
        cmocka_unit_test(only_what_waits_is_connected_ahead),
        cmocka_unit_test(first_data_follow_the_connection),
        cmocka_unit_test(an_error_of_the_host_is_told),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
