// A port that goes from the host to ntke and back while packets come and go, with real threads.
//
// Posters count their packets, and so does a file of the host's, which knows the host's port only.
// Each packet is taken once, and one consumer alone sees each sender's in their order. The host is
// a small one of its own: ports and auto-reset events, one lock.
#include <atomic>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

#include "ob/handle_table.h"
#include "unit.h"
#include "unix/host_services.h"
#include "unix/host_threads.h"
#include "unix/notifications.h"
#include "unix/port.h"
#include "unix/program_events.h"

namespace {

// --- The host

struct Object {
    bool is_port = false;
    bool is_signaled = false;
    std::deque<CompletionPacket> packets;
};

class Host {
public:
    HANDLE make(bool is_port)
    {
        const Lock lock(*this);
        m_objects.push_back({ .is_port = is_port, .is_signaled = false, .packets = {} });
        return open(&m_objects.back());
    }
    HANDLE duplicate(HANDLE handle)
    {
        const Lock lock(*this);
        return open(&object(handle));
    }
    void close(HANDLE handle)
    {
        const Lock lock(*this);
        m_handles[index_of(handle)] = nullptr;
    }
    /// Between rounds, when nobody has a handle.
    void forget_all()
    {
        const Lock lock(*this);
        m_objects.clear();
        m_handles.clear();
    }
    void post(HANDLE port, const CompletionPacket& packet)
    {
        const Lock lock(*this);
        object(port).packets.push_back(packet);
        pthread_cond_broadcast(&m_changed);
    }
    LONG depth(HANDLE port)
    {
        const Lock lock(*this);
        return static_cast<LONG>(object(port).packets.size());
    }
    void set(HANDLE event)
    {
        const Lock lock(*this);
        object(event).is_signaled = true;
        pthread_cond_broadcast(&m_changed);
    }
    NTSTATUS remove(HANDLE port, CompletionPacket& packet, const LARGE_INTEGER* timeout)
    {
        return wait(timeout, [&] {
            std::deque<CompletionPacket>& packets = object(port).packets;
            if (packets.empty())
                return false;
            packet = packets.front();
            packets.pop_front();
            return true;
        });
    }
    NTSTATUS wait_for_event(HANDLE event, const LARGE_INTEGER* timeout)
    {
        return wait(timeout, [&] { return std::exchange(object(event).is_signaled, false); });
    }

private:
    class Lock {
    public:
        explicit Lock(Host& host)
            : m_host(host)
        {
            pthread_mutex_lock(&m_host.m_lock);
        }
        ~Lock() { pthread_mutex_unlock(&m_host.m_lock); }
        Lock(const Lock&) = delete;

    private:
        Host& m_host;
    };

    static size_t index_of(HANDLE handle) { return reinterpret_cast<uintptr_t>(handle) / 4 - 1; }
    Object& object(HANDLE handle)
    {
        Object* const found = m_handles.at(index_of(handle));
        if (!found)
            abort(); // a handle that was closed
        return *found;
    }
    HANDLE open(Object* object)
    {
        m_handles.push_back(object);
        return reinterpret_cast<HANDLE>(m_handles.size() * 4);
    }
    NTSTATUS wait(const LARGE_INTEGER* timeout, const std::function<bool()>& take)
    {
        const ke::DueTime due = ke::DueTime::from_timeout(timeout);
        const Lock lock(*this);
        while (!take()) {
            if (due.has_passed())
                return STATUS_TIMEOUT;
            unit::wait_for_change(m_changed, m_lock);
        }
        return STATUS_SUCCESS;
    }

    pthread_mutex_t m_lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t m_changed = PTHREAD_COND_INITIALIZER;
    std::deque<Object> m_objects;
    std::vector<Object*> m_handles;
};

Host g_host;
std::atomic<uint32_t> g_relays { 0 };

NTSTATUS duplicate_object(HANDLE, HANDLE source, HANDLE, HANDLE* target, ACCESS_MASK, ULONG, ULONG)
{
    *target = g_host.duplicate(source);
    return STATUS_SUCCESS;
}
NTSTATUS create_event(HANDLE* event, ACCESS_MASK, const OBJECT_ATTRIBUTES*, EventType, BOOLEAN)
{
    *event = g_host.make(false);
    return STATUS_SUCCESS;
}
NTSTATUS close_handle(HANDLE handle)
{
    g_host.close(handle);
    return STATUS_SUCCESS;
}
NTSTATUS set_event(HANDLE event, LONG*)
{
    g_host.set(event);
    return STATUS_SUCCESS;
}
NTSTATUS set_io_completion(
    HANDLE port, ULONG_PTR key, ULONG_PTR context, NTSTATUS status, ULONG_PTR information)
{
    CompletionPacket packet {};
    packet.key = key;
    packet.context = context;
    packet.iosb.Status = status;
    packet.iosb.Information = information;
    g_host.post(port, packet);
    return STATUS_SUCCESS;
}
NTSTATUS remove_io_completion_ex(HANDLE port, CompletionPacket* packets, ULONG, ULONG* removed,
    const LARGE_INTEGER* timeout, BOOLEAN)
{
    const NTSTATUS status = g_host.remove(port, *packets, timeout);
    *removed = status == STATUS_SUCCESS;
    return status;
}
NTSTATUS query_io_completion(HANDLE port, ULONG, PVOID info, ULONG, ULONG*)
{
    *static_cast<LONG*>(info) = g_host.depth(port);
    return STATUS_SUCCESS;
}
NTSTATUS wait_for_single_object(HANDLE event, BOOLEAN, const LARGE_INTEGER* timeout)
{
    return g_host.wait_for_event(event, timeout);
}

template <typename Function> void* entry(Function* function)
{
    return reinterpret_cast<void*>(function);
}

/// Natively the pump of the process gets its thread with the first socket, and here is none.
void run_pump()
{
    afd::Pump::instance().use_caller_thread();
    std::thread([] {
        for (;;)
            afd::Pump::instance().run(-1);
    }).detach();
}

void connect_host()
{
    host::duplicate_object.entry = entry(duplicate_object);
    host::create_event.entry = entry(create_event);
    host::close.entry = entry(close_handle);
    host::set_event.entry = entry(set_event);
    host::set_io_completion.entry = entry(set_io_completion);
    host::remove_io_completion_ex.entry = entry(remove_io_completion_ex);
    host::query_io_completion.entry = entry(query_io_completion);
    host::wait_for_single_object.entry = entry(wait_for_single_object);
    run_pump();
}

} // namespace

host::Convention host::g_convention = host::Convention::Linux;

NTSTATUS host_threads::start_relay(void* argument)
{
    g_relays.fetch_add(1);
    std::thread([=] {
        unix_side::Port::with_number(argument)->relay();
        g_relays.fetch_sub(1);
    }).detach();
    return STATUS_SUCCESS;
}
void host_threads::note_helper_is_done()
{
}
void host_threads::note_waits(ke::Thread&)
{
}
void notifications::end(ntke::NotificationPort&)
{
}
void notifications::wake(ntke::NotificationPort&)
{
}
uint32_t notifications::translate(CompletionPacket*, uint32_t count)
{
    return count;
}
NTSTATUS program_events::make(bool, ob::Ref<ke::Event>&)
{
    return STATUS_NOT_SUPPORTED; // nobody waits for the port itself here
}

namespace {

using unix_side::Port;

constexpr uint32_t kPosters = 3;
constexpr uint32_t kSenders = kPosters + 1; // the last is the host's file
constexpr ULONG_PTR kEnd = kSenders;
constexpr uint32_t kPackets = 60; // of each

/// One port's life. Owner: the test.
struct Round {
    HANDLE handle = nullptr;
    ob::Ref<io::CompletionQueue> queue;
    uint32_t in_order = 0; // the first so many senders' packets are to come in their order
    std::atomic<uint64_t> taken[kSenders] {};
    std::atomic<uint64_t> last[kSenders] {};
    std::atomic<uint32_t> wrong { 0 };

    Port& port() { return Port::of(*queue); }
};

CompletionPacket packet_of(uint32_t sender, uint32_t number)
{
    CompletionPacket packet {};
    packet.key = sender;
    packet.context = number;
    return packet;
}

void send_all(Round& round, uint32_t sender, uint64_t seed)
{
    unit::Random random(seed);
    for (uint32_t number = 1; number <= kPackets; ++number) {
        if (sender == kPosters)
            g_host.post(round.handle, packet_of(sender, number));
        else if (!NT_SUCCESS(round.port().post(round.handle, packet_of(sender, number))))
            round.wrong.fetch_add(1);
        if (random.one_in(6))
            usleep(random.below(60));
    }
}

void note_taken(Round& round, const CompletionPacket& packet)
{
    round.taken[packet.key].fetch_add(1);
    const uint64_t before = round.last[packet.key].exchange(packet.context);
    if (packet.key < round.in_order && before >= packet.context)
        round.wrong.fetch_add(1);
}

void consume(Round& round, uint64_t seed)
{
    unit::Random random(seed);
    for (bool is_over = false; !is_over;) {
        CompletionPacket packets[4];
        uint32_t removed = 0;
        LARGE_INTEGER timeout;
        timeout.QuadPart = -int64_t { random.below(3000) };
        const NTSTATUS status = round.port().remove(round.handle, packets, 1 + random.below(4),
            &removed, random.one_in(4),
            random.one_in(2) ? ke::DueTime::never() : ke::DueTime::from_timeout(&timeout));
        if ((status == STATUS_SUCCESS) != (removed != 0)
            || (status != STATUS_SUCCESS && status != STATUS_TIMEOUT))
            round.wrong.fetch_add(1);
        for (uint32_t i = 0; i < removed; ++i) {
            if (packets[i].key != kEnd)
                note_taken(round, packets[i]);
            else if (std::exchange(is_over, true))
                round.port().post(round.handle, packet_of(kEnd, 0)); // another thread's
        }
    }
    ke::Thread::detach();
}

struct Moves {
    bool begins;
    bool is_given_back;
};

/// The port moves at moments of chance.
void move(Round& round, const Moves& moves, unit::Random& random)
{
    usleep(random.below(400));
    if (moves.begins && !NT_SUCCESS(round.port().begin_serving(round.handle)))
        round.wrong.fetch_add(1);
    usleep(random.below(400));
    if (moves.is_given_back)
        round.port().give_back();
}

void run_round(Round& round, uint32_t consumers, unit::Random& random)
{
    round.handle = g_host.make(true);
    assert_status(Port::attach(round.handle, round.queue), STATUS_SUCCESS);
    const Moves moves { !random.one_in(6), !random.one_in(3) };
    if (consumers == 1) // what the host's file sends while the port is returned may overtake
        round.in_order = moves.is_given_back ? kPosters : kSenders;
    std::vector<std::thread> removing;
    std::vector<std::thread> sending;
    for (uint32_t i = 0; i < consumers; ++i)
        removing.emplace_back([&, seed = random.next()] { consume(round, seed); });
    for (uint32_t i = 0; i < kSenders; ++i)
        sending.emplace_back([&, i, seed = random.next()] { send_all(round, i, seed); });
    move(round, moves, random);
    for (std::thread& thread : sending)
        thread.join();
    for (const std::atomic<uint64_t>& taken : round.taken) {
        while (taken < kPackets)
            usleep(100); // a lost packet is a hang, which the runner ends
    }
    for (uint32_t i = 0; i < consumers; ++i)
        round.port().post(round.handle, packet_of(kEnd, 0));
    for (std::thread& thread : removing)
        thread.join();
    for (const std::atomic<uint64_t>& taken : round.taken)
        assert_int_equal(taken, kPackets);
    assert_int_equal(round.wrong, 0);
    assert_status(ob::HandleTable::current().detach(round.handle), STATUS_SUCCESS);
    round.queue.reset();
    while (g_relays)
        usleep(100);
    afd::Pump::instance().drain();
    ob::reclaim_now();
    g_host.forget_all();
}

void run_rounds(uint32_t consumers)
{
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3000) / 10;
    unit::Random random(unit::setting("NTKE_SEED", 1));
    for (uint64_t i = 0; i < rounds; ++i) {
        Round round;
        run_round(round, consumers, random);
    }
}

void one_consumer_sees_each_senders_packets_in_order(void**)
{
    run_rounds(1);
}

void several_consumers_take_each_packet_once(void**)
{
    run_rounds(3);
}

/// Nothing has moved when the port is closed; the relay and the memory go all the same.
void a_port_may_be_closed_in_each_state(void**)
{
    for (int moves = 0; moves < 3; ++moves) {
        const int64_t before = unit::object_count();
        Round round;
        round.handle = g_host.make(true);
        assert_status(Port::attach(round.handle, round.queue), STATUS_SUCCESS);
        if (moves > 0)
            assert_status(round.port().begin_serving(round.handle), STATUS_SUCCESS);
        if (moves > 1)
            round.port().give_back();
        round.port().post(round.handle, packet_of(0, 1));
        assert_status(ob::HandleTable::current().detach(round.handle), STATUS_SUCCESS);
        round.queue.reset();
        while (g_relays || unit::object_count() != before)
            usleep(100); // what is left for ever is a hang
        g_host.forget_all();
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(a_port_may_be_closed_in_each_state),
        cmocka_unit_test(one_consumer_sees_each_senders_packets_in_order),
        cmocka_unit_test(several_consumers_take_each_packet_once),
    };
    connect_host();
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
