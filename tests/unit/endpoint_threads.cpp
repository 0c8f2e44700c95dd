// Endpoints with real threads on real sockets.
//
// Each connection has a thread that sends and one that receives. The receiver reads only when it is
// told that there is something, and the sender goes on only when it is told that there is room: one
// lost event and the connection stands still. A third thread keeps selecting other events and masks
// on all of them meanwhile. Every byte is checked.
//
//   NTKE_SEED=n     begin with this seed        NTKE_ROUNDS=n   that many bytes a connection, in
//   KiB
#include <atomic>

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

#include "loopback.h"

namespace {

using afd::HostSocket;
using ntke::SocketState;

constexpr int kDatagram = 2;
constexpr uint32_t kConnections = 3;
constexpr uint32_t kEnd = uint32_t { afd::kPollDisconnect } | afd::kPollAbort;
/// What a receiver must be told of, whatever else is selected.
constexpr uint32_t kReceiverMask = uint32_t { afd::kPollReceive } | kEnd;
constexpr uint32_t kSenderMask = uint32_t { afd::kPollSend } | kEnd;
/// Nothing but a lost event makes a thread wait this long.
constexpr int64_t kHang = 60'000;

/// One end of a connection, and what its thread has found wrong.
struct End {
    ob::Ref<afd::Endpoint> endpoint;
    /// Any of them may be the selected one; the thread waits for all at once.
    ob::Ref<ke::Event> events[2];
    uint32_t mask = 0;
    uint64_t seed = 0;
    uint64_t moved = 0;
    uint32_t waits = 0;
    bool has_ended = false; // is told once, with data before it: then read to the end
    const char* failure = nullptr;
    std::atomic<bool> is_over { false };
};

struct Connection {
    End sender;
    End receiver;
};

Connection g_connections[kConnections];
uint64_t g_length;
std::atomic<uint64_t> g_selections;

/// The byte at a place of the stream.
uint8_t byte_at(uint64_t seed, uint64_t place)
{
    return static_cast<uint8_t>((place * 0x9E3779B97F4A7C15u + seed) >> 32);
}

/// Waits until the end is told one of its events. False: hung.
bool wait_until_told(End& end, uint32_t conditions)
{
    ke::Thread& thread = *ke::Thread::current();
    for (;;) {
        afd::GetEventsResult result;
        for (const auto& event : end.events)
            event->reset(); // before the record is asked, so that nothing is lost
        end.endpoint->take_events(result);
        end.has_ended |= (result.flags & kEnd) != 0;
        if (result.flags & conditions)
            return true;
        ke::DispatcherObject* objects[]
            = { end.events[0]->dispatcher(), end.events[1]->dispatcher() };
        ++end.waits;
        if (ke::wait_for_multiple(thread, objects, 2, kWaitAny, ke::Alertable::No,
                ke::DueTime::in_milliseconds(kHang))
            == STATUS_TIMEOUT) {
            end.failure = "an event was lost";
            return false;
        }
    }
}

void* receive_all(void* argument)
{
    End& end = *static_cast<End*>(argument);
    unit::Random random(end.seed);
    static constexpr size_t kMost = 8192;
    uint8_t bytes[kMost];
    while (!end.failure) {
        // Exactly one receive for each time it is told.
        if (!end.has_ended && !wait_until_told(end, kReceiverMask))
            break;
        size_t received = 0;
        const uint32_t flags = random.one_in(8) ? unit::kMsgPeek : 0;
        const size_t length = 1 + random.below(random.one_in(4) ? 16 : kMost);
        const NTSTATUS status = unit::receive(*end.endpoint, bytes, length, flags, &received);
        if (status == STATUS_DEVICE_NOT_READY)
            continue; // read before it was told
        if (status != STATUS_SUCCESS) {
            end.failure = "a receive failed";
            break;
        }
        for (size_t i = 0; i < received; ++i) {
            if (bytes[i] != byte_at(end.seed, end.moved + i))
                end.failure = "a wrong byte";
        }
        if (flags & unit::kMsgPeek)
            continue;
        end.moved += received;
        if (!received) {
            if (end.moved != g_length)
                end.failure = "the end came too early";
            break;
        }
    }
    end.is_over = true;
    return nullptr;
}

void* send_all(void* argument)
{
    End& end = *static_cast<End*>(argument);
    unit::Random random(~end.seed);
    static constexpr size_t kMost = 20'000;
    uint8_t bytes[kMost];
    while (end.moved < g_length && !end.failure) {
        size_t length = 1 + random.below(random.one_in(4) ? 16 : kMost);
        if (length > g_length - end.moved)
            length = g_length - end.moved;
        for (size_t i = 0; i < length; ++i)
            bytes[i] = byte_at(end.seed, end.moved + i);
        size_t sent = 0;
        const NTSTATUS status = unit::send(*end.endpoint, bytes, length, 0, &sent);
        end.moved += sent;
        if (status == STATUS_DEVICE_NOT_READY)
            wait_until_told(end, kSenderMask);
        else if (status != STATUS_SUCCESS)
            end.failure = "a send failed";
    }
    unit::set_state(
        *end.endpoint, SocketState::Connected, ntke::kSocketSendShutDown, STATUS_SUCCESS, 0);
    end.endpoint->socket().shutdown(1);
    end.is_over = true;
    return nullptr;
}

/// Selects anew what is selected already: other events, larger masks, the same once more.
void* select_again(void* argument)
{
    unit::Random random(reinterpret_cast<uintptr_t>(argument));
    bool is_over = false;
    while (!is_over) {
        is_over = true;
        for (Connection& connection : g_connections) {
            for (End* end : { &connection.sender, &connection.receiver }) {
                if (end->is_over)
                    continue;
                is_over = false;
                const uint32_t mask
                    = end->mask | (static_cast<uint32_t>(random.next()) & unit::kAllConditions);
                unit::select(*end->endpoint, end->events[random.below(2)], mask);
                ++g_selections;
            }
        }
        usleep(random.below(300));
    }
    return nullptr;
}

void make_end(HostSocket& socket, uint32_t flags, uint32_t mask, uint64_t seed, End& end)
{
    assert_status(unit::attach(socket, SocketState::Connected, unit::kStream, flags, end.endpoint),
        STATUS_SUCCESS);
    for (auto& event : end.events)
        assert_status(ke::Event::create(kNotificationEvent, false, event), STATUS_SUCCESS);
    end.mask = mask;
    end.seed = seed;
    end.moved = end.waits = 0;
    end.failure = nullptr;
    end.has_ended = false;
    end.is_over = false;
    assert_status(unit::select(*end.endpoint, end.events[0], mask), STATUS_SUCCESS);
}

void make_connection(Connection& connection, uint64_t seed)
{
    HostSocket listener;
    HostSocket connecting;
    HostSocket accepted;
    afd::Address address = unit::loopback_address();
    const int small = 16'384; // so that both sides have to wait
    assert_status(listener.create(afd::kFamilyInet, unit::kStream, 0), STATUS_SUCCESS);
    assert_status(
        listener.set_option(SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), STATUS_SUCCESS);
    assert_status(listener.bind(address), STATUS_SUCCESS);
    assert_status(listener.listen(1), STATUS_SUCCESS);
    assert_status(listener.local_name(address), STATUS_SUCCESS);
    assert_status(connecting.create(afd::kFamilyInet, unit::kStream, 0), STATUS_SUCCESS);
    assert_status(
        connecting.set_option(SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), STATUS_SUCCESS);
    assert_true(NT_SUCCESS(connecting.connect(address)));
    assert_int_not_equal(listener.wait_ready(afd::kReadyIn, 10'000'000), 0);
    assert_status(listener.accept(accepted, nullptr), STATUS_SUCCESS);
    assert_int_not_equal(connecting.wait_ready(afd::kReadyOut, 10'000'000), 0);
    listener.close();
    make_end(connecting, ntke::kSocketConnected, kSenderMask, seed, connection.sender);
    make_end(accepted, 0, kReceiverMask, seed, connection.receiver);
}

void drop_end(End& end)
{
    end.endpoint->close_socket();
    end.endpoint.reset();
    for (auto& event : end.events)
        event.reset();
}

void no_event_and_no_byte_is_lost(void**)
{
    const uint64_t seed = unit::setting("NTKE_SEED", 1);
    g_length = unit::setting("NTKE_ROUNDS", 60'000) * 1024;
    print_message("# seed %llu\n", static_cast<unsigned long long>(seed));
    const int64_t descriptors = unit::descriptor_count();
    pthread_t threads[2 * kConnections];
    for (uint32_t i = 0; i < kConnections; ++i)
        make_connection(g_connections[i], seed * kConnections + i);
    for (uint32_t i = 0; i < kConnections; ++i) {
        Connection& connection = g_connections[i];
        assert_int_equal(pthread_create(&threads[2 * i], nullptr, send_all, &connection.sender), 0);
        assert_int_equal(
            pthread_create(&threads[2 * i + 1], nullptr, receive_all, &connection.receiver), 0);
    }
    pthread_t selecting;
    assert_int_equal(pthread_create(&selecting, nullptr, select_again,
                         reinterpret_cast<void*>(static_cast<uintptr_t>(seed))),
        0);
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    pthread_join(selecting, nullptr);

    uint64_t waits = 0;
    for (Connection& connection : g_connections) {
        for (End* end : { &connection.sender, &connection.receiver }) {
            if (end->failure)
                print_error(
                    "%s at byte %llu\n", end->failure, static_cast<unsigned long long>(end->moved));
            assert_null(end->failure);
            assert_int_equal(end->moved, g_length);
            waits += end->waits;
            drop_end(*end);
        }
    }
    print_message("# %llu waits, %llu selections\n", static_cast<unsigned long long>(waits),
        static_cast<unsigned long long>(g_selections.load()));
    // The first descriptors of the pump stay, and of each thread that waited.
    constexpr int64_t kOfPumps = 2 * (1 + 2 * int64_t { kConnections });
    assert_in_range(unit::descriptor_count(), descriptors, descriptors + kOfPumps);
}

// --- Datagrams and connections

End g_taker;
std::atomic<uint64_t> g_taken;
uint64_t g_to_take;
afd::Address g_address;

/// Selects anew while the taker takes.
void* select_taker_again(void* argument)
{
    unit::Random random(reinterpret_cast<uintptr_t>(argument));
    while (!g_taker.is_over) {
        const auto more = static_cast<uint32_t>(random.next()) & unit::kAllConditions;
        unit::select(*g_taker.endpoint, g_taker.events[random.below(2)], g_taker.mask | more);
        usleep(random.below(100));
    }
    return nullptr;
}

void* take_datagrams(void*)
{
    unit::Random random(g_taker.seed);
    while (g_taken < g_to_take && wait_until_told(g_taker, afd::kPollReceive)) {
        uint64_t number = 0;
        size_t received = 0;
        const uint32_t flags = random.one_in(8) ? unit::kMsgPeek : 0;
        const NTSTATUS status
            = unit::receive(*g_taker.endpoint, &number, sizeof(number), flags, &received);
        if (status == STATUS_DEVICE_NOT_READY)
            continue;
        if ((status != STATUS_SUCCESS && status != STATUS_BUFFER_OVERFLOW) || number != g_taken)
            g_taker.failure = "a wrong datagram";
        if (!(flags & unit::kMsgPeek))
            ++g_taken;
    }
    g_taker.is_over = true;
    return nullptr;
}

void* send_datagrams(void* socket)
{
    constexpr uint64_t kMostUnderWay = 16; // the queue holds so many
    unit::Random random(~g_taker.seed);
    uint8_t bytes[1024] = {};
    for (uint64_t number = 0; number < g_to_take; ++number) {
        while (number - g_taken >= kMostUnderWay && !g_taker.is_over)
            sched_yield();
        __builtin_memcpy(bytes, &number, sizeof(number));
        const afd::Buffer buffer { reinterpret_cast<uintptr_t>(bytes), 8 + random.below(1000) };
        size_t sent = 0;
        static_cast<HostSocket*>(socket)->send(&buffer, 1, 0, &g_address, &sent);
    }
    return nullptr;
}

void* take_connections(void*)
{
    while (g_taken < g_to_take && wait_until_told(g_taker, afd::kPollAccept)) {
        HostSocket accepted;
        const NTSTATUS status = g_taker.endpoint->socket().accept(accepted, nullptr);
        if (status == STATUS_DEVICE_NOT_READY)
            continue;
        if (status != STATUS_SUCCESS)
            g_taker.failure = "an accept failed";
        unit::set_state(*g_taker.endpoint, SocketState::Listening, 0, STATUS_SUCCESS, 1);
        accepted.close();
        ++g_taken;
    }
    g_taker.is_over = true;
    return nullptr;
}

void* make_connections(void*)
{
    constexpr uint64_t kMostUnderWay = 4;
    for (uint64_t number = 0; number < g_to_take && !g_taker.is_over; ++number) {
        while (number - g_taken >= kMostUnderWay && !g_taker.is_over)
            sched_yield();
        HostSocket socket;
        const linger none { 1, 0 }; // leaves no port behind
        socket.create(afd::kFamilyInet, unit::kStream, 0);
        socket.set_option(SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        // One that is closed before Linux has made it is none.
        constexpr uint32_t kPatience = 1'000'000; // us
        constexpr uint32_t kEnded = afd::kReadyOut | afd::kReadyError | afd::kReadyHangUp;
        if (NT_SUCCESS(socket.connect(g_address)))
            socket.wait_ready(kEnded, kPatience);
        if (!socket.was_ever_connected())
            --number;
        socket.close();
    }
    return nullptr;
}

/// Runs a taker, somebody who gives, and the selecting thread.
void take_all(HostSocket& socket, SocketState state, int type, uint32_t mask, void* (*take)(void*),
    void* (*give)(void*), void* giver)
{
    const uint64_t seed = unit::setting("NTKE_SEED", 1);
    const uint32_t flags = state == SocketState::Datagram ? uint32_t { ntke::kSocketBound } : 0u;
    assert_status(unit::attach(socket, state, type, flags, g_taker.endpoint), STATUS_SUCCESS);
    for (auto& event : g_taker.events)
        assert_status(ke::Event::create(kNotificationEvent, false, event), STATUS_SUCCESS);
    g_taker.mask = mask;
    g_taker.seed = seed;
    g_taker.waits = 0;
    g_taker.failure = nullptr;
    g_taker.is_over = false;
    g_taken = 0;
    assert_status(unit::select(*g_taker.endpoint, g_taker.events[0], mask), STATUS_SUCCESS);
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], nullptr, take, nullptr), 0);
    assert_int_equal(pthread_create(&threads[1], nullptr, give, giver), 0);
    assert_int_equal(pthread_create(&threads[2], nullptr, select_taker_again,
                         reinterpret_cast<void*>(static_cast<uintptr_t>(seed))),
        0);
    for (pthread_t thread : threads)
        pthread_join(thread, nullptr);
    print_message("# %u waits\n", g_taker.waits);
    if (g_taker.failure)
        print_error(
            "%s after %llu\n", g_taker.failure, static_cast<unsigned long long>(g_taken.load()));
    assert_null(g_taker.failure);
    assert_int_equal(g_taken, g_to_take);
    drop_end(g_taker);
}

void no_datagram_is_lost(void**)
{
    HostSocket socket;
    HostSocket sender;
    g_address = unit::loopback_address();
    g_to_take = unit::setting("NTKE_ROUNDS", 60'000);
    assert_status(socket.create(afd::kFamilyInet, kDatagram, 0), STATUS_SUCCESS);
    assert_status(socket.bind(g_address), STATUS_SUCCESS);
    assert_status(socket.local_name(g_address), STATUS_SUCCESS);
    assert_status(sender.create(afd::kFamilyInet, kDatagram, 0), STATUS_SUCCESS);
    take_all(socket, SocketState::Datagram, kDatagram, afd::kPollReceive, take_datagrams,
        send_datagrams, &sender);
    sender.close();
}

void no_connection_is_lost(void**)
{
    HostSocket socket;
    g_address = unit::loopback_address();
    g_to_take = unit::setting("NTKE_ROUNDS", 60'000) / 10;
    assert_status(socket.create(afd::kFamilyInet, unit::kStream, 0), STATUS_SUCCESS);
    assert_status(socket.bind(g_address), STATUS_SUCCESS);
    assert_status(socket.listen(64), STATUS_SUCCESS);
    assert_status(socket.local_name(g_address), STATUS_SUCCESS);
    take_all(socket, SocketState::Listening, unit::kStream, afd::kPollAccept, take_connections,
        make_connections, nullptr);
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(no_event_and_no_byte_is_lost),
        cmocka_unit_test(no_datagram_is_lost),
        cmocka_unit_test(no_connection_is_lost),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
