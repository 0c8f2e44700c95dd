// A socket that goes to the host with its selection of events, between the steps of what others do
// with it. The host is a small one of its own, which records connections that wait, and whose
// sockets are Linux'.
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "afd/ioctl.h"
#include "loopback.h"
#include "nt/caller.h"
#include "unix/hand_over.h"
#include "unix/host_services.h"
#include "unix/program_events.h"

namespace {

// --- The host

struct HostsSocket {
    int fd = -1;
    HANDLE event = nullptr;
    uint32_t mask = 0;
    uint32_t told = 0;
    uint32_t selections = 0; // requests
};

class Host : public ke::HostSignal {
public:
    HANDLE add(int fd)
    {
        const HANDLE handle = new_handle();
        m_sockets[handle].fd = fd;
        return handle;
    }
    HostsSocket& socket(HANDLE handle) { return m_sockets.at(handle); }
    /// Takes a connection off a listener's queue.
    HANDLE accept(HANDLE listener)
    {
        HostsSocket& from = socket(listener);
        const HANDLE handle = add(::accept(from.fd, nullptr, nullptr));
        socket(handle).event = from.event;
        socket(handle).mask = from.mask;
        from.told &= ~uint32_t { afd::kPollAccept };
        return handle;
    }
    void select(HANDLE handle, const afd::EventSelectParams& params)
    {
        HostsSocket& selected = socket(handle);
        ++selected.selections;
        selected.event = reinterpret_cast<HANDLE>(params.event);
        selected.mask = static_cast<uint32_t>(params.mask);
        if (const auto then = std::exchange(after_selection, nullptr))
            then();
    }
    uint32_t take_events(HANDLE handle)
    {
        HostsSocket& asked = socket(handle);
        char byte;
        const bool is_readable = recv(asked.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
        const uint32_t found = is_readable ? uint32_t { afd::kPollReceive }
            : is_listening(asked.fd)       ? uint32_t { afd::kPollAccept }
                                           : 0u;
        const uint32_t taken = found & asked.mask & ~asked.told;
        asked.told |= taken;
        return taken;
    }
    uint32_t sets(HANDLE event) { return m_sets[event]; }
    HANDLE new_handle() { return reinterpret_cast<HANDLE>(m_next += 4); }
    void forget_all()
    {
        for (auto& [handle, socket] : m_sockets)
            ::close(socket.fd);
        m_sockets.clear();
        m_sets.clear();
    }

    void set_host_event(HANDLE event) override { ++m_sets[event]; }
    void reset_host_event(HANDLE) override { }
    void release_host_event(HANDLE) override { }

    /// What happens after the next selection there.
    std::function<void()> after_selection;

private:
    /// Is it a listener with a connection in its queue?
    static bool is_listening(int fd)
    {
        pollfd asked { fd, POLLIN, 0 };
        int listens = 0;
        socklen_t length = sizeof(listens);
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length);
        return listens && poll(&asked, 1, 0) == 1;
    }

    std::map<HANDLE, HostsSocket> m_sockets;
    std::map<HANDLE, uint32_t> m_sets;
    uintptr_t m_next = 0;
};

Host g_host;

NTSTATUS device_io_control(HANDLE handle, HANDLE, PIO_APC_ROUTINE, PVOID, IO_STATUS_BLOCK*,
    ULONG code, PVOID input, ULONG input_length, PVOID output, ULONG)
{
    afd::EventSelectParams params;
    if (code == afd::kIoctlEventSelect && afd::read_event_select(input, input_length, params))
        g_host.select(handle, params);
    if (code == afd::kIoctlGetEvents)
        static_cast<afd::GetEventsResult*>(output)->flags = g_host.take_events(handle);
    return STATUS_SUCCESS;
}

NTSTATUS set_event(HANDLE event, LONG*)
{
    g_host.set_host_event(event);
    return STATUS_SUCCESS;
}

} // namespace

host::Convention host::g_convention = host::Convention::Linux;

NTSTATUS program_events::make(bool, ob::Ref<ke::Event>& event)
{
    return ke::Event::create_on_host(g_host, g_host.new_handle(), kNotificationEvent, event);
}

NTSTATUS program_events::move_to_host(ke::Event& event)
{
    if (!event.is_on_host())
        event.move_to_host(g_host, g_host.new_handle());
    return STATUS_SUCCESS;
}

namespace {

using ntke::SocketState;

constexpr uint32_t kMask = afd::kPollAccept | afd::kPollReceive;

// --- What ntke knows of its sockets

std::vector<ob::Ref<afd::SocketFile>> g_files; // of the case

ob::Ref<afd::SocketFile> make_known(
    HANDLE handle, SocketState state, const afd::SocketFile* listener = nullptr)
{
    ob::Ref<afd::SocketFile> file
        = afd::SocketFile::make_hosted(afd::ptr64(handle), io::File::Mode::Asynchronous);
    assert_true(static_cast<bool>(file));
    ntke::AttachArgs args {};
    args.family = afd::kFamilyInet;
    args.type = unit::kStream;
    args.state = static_cast<uint32_t>(state);
    file->tell_created(args, false, listener);
    g_files.push_back(file);
    return file;
}

/// Who is watched is referenced until it is closed.
void close_files()
{
    for (const ob::Ref<afd::SocketFile>& file : g_files)
        file->close_socket();
    g_files.clear();
    afd::Pump::instance().drain();
}

ob::Ref<ke::Event> make_event()
{
    ob::Ref<ke::Event> event;
    assert_status(ke::Event::create(kNotificationEvent, false, event), STATUS_SUCCESS);
    return event;
}

void select_here(afd::SocketFile& file, ob::Ref<ke::Event> event, uint32_t mask)
{
    ob::Ref<ke::Event> replaced;
    assert_status(file.open_descriptor(), STATUS_SUCCESS);
    assert_status(file.select_events(std::move(event), mask, replaced, afd::SelectMode::Event),
        STATUS_SUCCESS);
}

uint32_t take_here(afd::SocketFile& file)
{
    afd::GetEventsResult told;
    assert_status(file.take_events(told), STATUS_SUCCESS);
    return told.flags;
}

/// What an enumeration on the host tells, as the service completes it.
uint32_t take_on_host(afd::SocketFile& file, HANDLE handle)
{
    afd::GetEventsResult told {};
    told.flags = g_host.take_events(handle);
    ke::LockGuard guard(file.selection_lock());
    file.hosted_record().complete(told, file.mask_on_host());
    return told.flags;
}

/// A listener that has selected events here, and its clients.
class Listener {
public:
    Listener()
        : m_handle(g_host.add(listen_on_loopback(m_address)))
        , m_event(make_event())
        , m_file(make_known(m_handle, SocketState::Listening))
    {
        select_here(*m_file, m_event, kMask);
    }
    ~Listener()
    {
        for (const int client : m_clients)
            ::close(client);
    }
    afd::SocketFile& operator*() const { return *m_file; }
    afd::SocketFile* operator->() const { return m_file.get(); }
    HANDLE handle() const { return m_handle; }
    HANDLE event_on_host() const { return m_event->host_event(); }

    void be_connected_to()
    {
        const int client = socket(AF_INET, SOCK_STREAM, 0);
        m_clients.push_back(client);
        assert_false(
            connect(client, reinterpret_cast<const sockaddr*>(&m_address), sizeof(m_address)));
    }
    HANDLE accept() { return g_host.accept(m_handle); }

private:
    static int listen_on_loopback(sockaddr_in& address)
    {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof(address);
        auto* const name = reinterpret_cast<sockaddr*>(&address);
        assert_false(bind(fd, name, length));
        assert_false(listen(fd, 8));
        assert_false(getsockname(fd, name, &length));
        return fd;
    }

    sockaddr_in m_address;
    HANDLE m_handle;
    ob::Ref<ke::Event> m_event;
    ob::Ref<afd::SocketFile> m_file;
    std::vector<int> m_clients;
};

/// An accepted socket becomes known, as in the program that has called accept.
ntke::Inheritance inherit(Listener& listener, HANDLE handle, bool was_on_host)
{
    const ob::Ref<afd::SocketFile> accepted
        = make_known(handle, SocketState::Connected, &*listener);
    return unix_side::inherit(*listener, *accepted, was_on_host);
}

void assert_selected(HANDLE handle, HANDLE event, uint32_t mask)
{
    assert_ptr_equal(g_host.socket(handle).event, event);
    assert_int_equal(g_host.socket(handle).mask, mask);
}

// --- Accepted sockets

void what_is_accepted_before_inherits_here(void**) // [WSAEventSelect/69]
{
    Listener listener;
    listener.be_connected_to();
    const HANDLE accepted = listener.accept();
    assert_int_equal(inherit(listener, accepted, false), ntke::kInheritsHere);
    unix_side::hand_over(*listener);
    assert_selected(accepted, nullptr, 0);
}

void what_is_known_only_after_inherits_on_the_host(void**) // [WSAEventSelect/69]
{
    Listener listener;
    listener.be_connected_to();
    const HANDLE accepted = listener.accept();
    unix_side::hand_over(*listener);
    assert_int_equal(inherit(listener, accepted, false), ntke::kInheritsOnHost);
    assert_selected(accepted, listener.event_on_host(), kMask);
}

void what_is_accepted_meanwhile_has_the_programs_event(void**) // [WSAEventSelect/69]
{
    Listener listener;
    listener.be_connected_to();
    HANDLE accepted = nullptr;
    g_host.after_selection = [&] { accepted = listener.accept(); };
    unix_side::hand_over(*listener);
    assert_ptr_not_equal(g_host.socket(accepted).event, listener.event_on_host());
    assert_int_equal(inherit(listener, accepted, false), ntke::kInheritsOnHost);
    assert_selected(accepted, listener.event_on_host(), kMask);
}

void what_is_accepted_after_is_as_the_host_has_made_it(void**)
{
    Listener listener;
    unix_side::hand_over(*listener);
    listener.be_connected_to();
    const HANDLE accepted = listener.accept();
    assert_int_equal(inherit(listener, accepted, true), ntke::kInheritsOnHost);
    assert_selected(accepted, listener.event_on_host(), kMask);
    assert_int_equal(g_host.socket(accepted).selections, 0);
}

/// The program has ended the selection on the host before the accepted socket becomes known.
void a_selection_that_has_ended_is_not_inherited(void**)
{
    Listener listener;
    unix_side::hand_over(*listener);
    listener.be_connected_to();
    const HANDLE accepted = listener.accept();
    listener->note_selected_on_host(0);
    {
        ke::LockGuard guard(listener->selection_lock());
        listener->hosted_record().select({});
    }
    assert_int_equal(inherit(listener, accepted, false), ntke::kInheritsNothing);
    assert_selected(accepted, nullptr, 0);
}

// --- The conditions

/// One that was there when the record went, and was not told for the one before it.
void the_next_connection_is_told(void**) // [WSAEventSelect/24]
{
    Listener listener;
    listener.be_connected_to();
    listener.be_connected_to();
    assert_int_equal(take_here(*listener), afd::kPollAccept);
    const HANDLE accepted = listener.accept();
    unix_side::hand_over(*listener);
    const uint32_t sets = g_host.sets(listener.event_on_host());
    inherit(listener, accepted, false);
    assert_int_equal(g_host.sets(listener.event_on_host()), sets + 1);
    assert_int_equal(take_on_host(*listener, listener.handle()), afd::kPollAccept);
}

void a_connection_that_was_told_and_waits_is_not_told_again(void**)
{
    Listener listener;
    listener.be_connected_to();
    assert_int_equal(take_here(*listener), afd::kPollAccept);
    unix_side::hand_over(*listener);
    assert_int_equal(take_on_host(*listener, listener.handle()), 0);
}

/// A receive has begun before the socket is left to the host, and re-enables its condition.
void a_call_that_has_begun_is_waited_for(void**) // [WSAEventSelect/42]
{
    int fds[2];
    assert_false(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds));
    const HANDLE handle = g_host.add(fds[0]);
    const ob::Ref<afd::SocketFile> file = make_known(handle, SocketState::Connected);
    select_here(*file, make_event(), afd::kPollReceive);
    assert_int_equal(write(fds[1], "ab", 2), 2);
    assert_int_equal(take_here(*file), afd::kPollReceive);

    assert_true(file->begin_use());
    std::thread giver([&] { unix_side::hand_over(*file); });
    while (!file->is_left_to_host())
        sched_yield();
    char byte;
    size_t received = 0;
    const NTSTATUS status = unit::receive(*file, &byte, 1, 0, &received);
    file->end_use();
    giver.join();
    assert_status(status, STATUS_SUCCESS);
    assert_int_equal(take_on_host(*file, handle), afd::kPollReceive);
    ::close(fds[1]);
}

int forget_host(void**)
{
    close_files();
    g_host.forget_all();
    return 0;
}

} // namespace

#define HAND_OVER_TEST(name) cmocka_unit_test_teardown(name, forget_host)

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    host::device_io_control.entry = reinterpret_cast<void*>(device_io_control);
    host::set_event.entry = reinterpret_cast<void*>(set_event);
    afd::SocketFile::open_host_descriptor = [](uint64_t handle, int& fd) {
        fd = dup(g_host.socket(reinterpret_cast<HANDLE>(handle)).fd);
        return fd < 0 ? STATUS_TOO_MANY_OPENED_FILES : STATUS_SUCCESS;
    };
    const CMUnitTest cases[] = {
        HAND_OVER_TEST(what_is_accepted_before_inherits_here),
        HAND_OVER_TEST(what_is_known_only_after_inherits_on_the_host),
        HAND_OVER_TEST(what_is_accepted_meanwhile_has_the_programs_event),
        HAND_OVER_TEST(what_is_accepted_after_is_as_the_host_has_made_it),
        HAND_OVER_TEST(a_selection_that_has_ended_is_not_inherited),
        HAND_OVER_TEST(the_next_connection_is_told),
        HAND_OVER_TEST(a_connection_that_was_told_and_waits_is_not_told_again),
        HAND_OVER_TEST(a_call_that_has_begun_is_waited_for),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
