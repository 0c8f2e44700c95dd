// A completion queue whose threads wait at a source, with real threads.
//
// Work comes in at the source and as posts. Each piece is one packet, and each packet is taken
// once: a lost wake-up hangs, a packet told twice breaks the count.
#include <atomic>
#include <functional>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/completion_queue.h"
#include "ke/pool.h"
#include "unit.h"

namespace {

constexpr uint32_t kConsumers = 4;
constexpr ULONG_PTR kOfSource = 1;
constexpr ULONG_PTR kPosted = 2;
constexpr ULONG_PTR kEnd = 3;

/// Work arrives by arrive(); whoever waits here turns it into packets. Owner: the test; it counts
/// those that wait, of which there is one at a time.
class Source final : public io::WaitSource {
public:
    ~Source() { ::close(m_event); }

    void arrive(uint32_t pieces)
    {
        m_pieces.fetch_add(pieces);
        interrupt();
    }

    void wait_and_serve(io::CompletionQueue& queue, const ke::DueTime& due) override
    {
        if (m_waiting.fetch_add(1) != 0)
            m_crowds.fetch_add(1);
        pollfd fd { m_event, POLLIN, 0 };
        int milliseconds = due.is_never() ? -1 : 0;
        if (!due.is_never() && !due.has_passed())
            milliseconds
                = static_cast<int>((due.interrupt_time() - ke::interrupt_time()) / 10'000) + 1;
        ::poll(&fd, 1, milliseconds);
        uint64_t count;
        static_cast<void>(!read(m_event, &count, sizeof(count)));
        {
            const io::CompletionQueue::Serving serving(queue);
            for (uint32_t pieces = m_pieces.exchange(0); pieces; --pieces)
                post(queue, kOfSource);
        }
        m_waiting.fetch_sub(1);
    }
    void interrupt() override
    {
        const uint64_t one = 1;
        static_cast<void>(!write(m_event, &one, sizeof(one)));
    }
    void on_packet_left() override { }
    void on_poller_stopped() override { }
    void on_poller_withdrawn() override { }
    void take_packet(const CompletionPacket& packet) override
    {
        if (take)
            take(packet);
    }
    void on_closed() override { }
    void on_dropped() override { }
    void destroy() override { }

    static void post(io::CompletionQueue& queue, ULONG_PTR key)
    {
        CompletionPacket packet {};
        packet.key = key;
        if (!NT_SUCCESS(queue.post(packet)))
            abort();
    }
    uint32_t crowds() const { return m_crowds; }

    std::function<void(const CompletionPacket& packet)> take;

private:
    const int m_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::atomic<uint32_t> m_pieces { 0 };
    std::atomic<uint32_t> m_waiting { 0 };
    std::atomic<uint32_t> m_crowds { 0 };
};

struct Storm {
    Source source;
    ob::Ref<io::CompletionQueue> queue;
    std::atomic<uint64_t> taken[4] {};
    std::atomic<uint32_t> wrong { 0 };
};

void* consume(void* argument)
{
    auto& storm = *static_cast<Storm*>(argument);
    unit::Random random(reinterpret_cast<uintptr_t>(&random));
    for (;;) {
        CompletionPacket packets[8];
        uint32_t removed = 0;
        const ke::DueTime due = ke::DueTime::in_milliseconds(random.below(3));
        const NTSTATUS status
            = storm.queue->remove(*ke::Thread::current(), packets, 1 + random.below(8), &removed,
                ke::Alertable::No, random.one_in(2) ? ke::DueTime::never() : due);
        if ((status == STATUS_SUCCESS) != (removed != 0)
            || (status != STATUS_SUCCESS && status != STATUS_TIMEOUT))
            storm.wrong.fetch_add(1);
        bool is_end = false;
        for (uint32_t i = 0; i < removed; ++i) {
            storm.taken[packets[i].key].fetch_add(1);
            if (packets[i].key != kEnd)
                continue;
            if (is_end) // another thread's
                Source::post(*storm.queue, kEnd);
            is_end = true;
        }
        if (is_end)
            break;
    }
    ke::Thread::detach();
    return nullptr;
}

void every_packet_is_taken_once(void**)
{
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3000);
    Storm storm;
    for (const uint32_t concurrency : { UINT32_MAX, 2u }) {
        assert_status(io::CompletionQueue::create(concurrency, storm.queue), STATUS_SUCCESS);
        assert_true(storm.queue->set_source(storm.source));
        pthread_t threads[kConsumers];
        for (pthread_t& thread : threads)
            assert_int_equal(pthread_create(&thread, nullptr, consume, &storm), 0);
        unit::Random random(unit::setting("NTKE_SEED", 1));
        uint64_t arrived = 0;
        uint64_t posted = 0;
        for (uint64_t round = 0; round < rounds; ++round) {
            const uint32_t pieces = random.below(6);
            storm.source.arrive(pieces);
            arrived += pieces;
            for (uint32_t posts = random.below(3); posts; --posts, ++posted)
                Source::post(*storm.queue, kPosted);
            if (random.one_in(8))
                storm.queue->serve_source();
            if (random.one_in(16))
                usleep(random.below(300));
        }
        while (storm.taken[kOfSource] != arrived || storm.taken[kPosted] != posted)
            usleep(1000); // a lost packet is a hang, which the runner ends
        for (uint32_t i = 0; i < kConsumers; ++i)
            Source::post(*storm.queue, kEnd);
        for (const pthread_t thread : threads)
            pthread_join(thread, nullptr);
        assert_int_equal(storm.queue->depth(), 0);
        assert_int_equal(storm.source.crowds(), 0);
        assert_int_equal(storm.wrong, 0);
        for (std::atomic<uint64_t>& count : storm.taken)
            count = 0;
        storm.queue.reset();
        ob::reclaim_now(); // while the source is there
    }
}

// --- A queue that gives its packets away at any moment

constexpr uint32_t kPosters = 3;

/// Packets of a poster carry numbers that count up. Owner: the test.
struct GivenAway {
    ob::Ref<io::CompletionQueue> queue;
    std::atomic<uint64_t> posted { 0 };
    std::atomic<uint64_t> taken_here { 0 };
    std::atomic<uint64_t> taken_by_source { 0 };
    std::atomic<uint64_t> last_of_poster[kPosters] {}; // by the source
    std::atomic<uint32_t> wrong { 0 };
    std::atomic<bool> is_over { false };
};

struct Poster {
    GivenAway* test;
    uint32_t number;
};

void* post_numbers(void* argument)
{
    const auto& poster = *static_cast<Poster*>(argument);
    unit::Random random(poster.number + 1);
    CompletionPacket packet {};
    packet.key = poster.number;
    while (!poster.test->is_over) {
        ++packet.context;
        if (!NT_SUCCESS(poster.test->queue->post(packet)))
            abort();
        poster.test->posted.fetch_add(1);
        if (random.one_in(4))
            usleep(random.below(50));
    }
    return nullptr;
}

void* remove_until_given_away(void* argument)
{
    auto& test = *static_cast<GivenAway*>(argument);
    for (;;) {
        CompletionPacket packets[4];
        uint32_t removed = 0;
        const NTSTATUS status = test.queue->remove(
            *ke::Thread::current(), packets, 4, &removed, ke::Alertable::No, ke::DueTime::never());
        test.taken_here.fetch_add(removed);
        if (status == STATUS_REPARSE)
            break;
        if (status != STATUS_SUCCESS || !removed)
            test.wrong.fetch_add(1);
    }
    ke::Thread::detach();
    return nullptr;
}

void packets_are_given_away_in_order_and_once(void**)
{
    const uint64_t rounds = unit::setting("NTKE_ROUNDS", 3000) / 30;
    unit::Random random(unit::setting("NTKE_SEED", 1));
    for (uint64_t round = 0; round < rounds; ++round) {
        Source source;
        GivenAway test;
        source.take = [&](const CompletionPacket& packet) {
            test.taken_by_source.fetch_add(1);
            if (test.last_of_poster[packet.key].exchange(packet.context) >= packet.context)
                test.wrong.fetch_add(1);
        };
        assert_status(io::CompletionQueue::create(UINT32_MAX, test.queue), STATUS_SUCCESS);
        assert_true(test.queue->set_source(source));
        pthread_t consumers[kConsumers];
        pthread_t posters[kPosters];
        Poster given[kPosters];
        for (pthread_t& thread : consumers)
            assert_int_equal(pthread_create(&thread, nullptr, remove_until_given_away, &test), 0);
        for (uint32_t i = 0; i < kPosters; ++i) {
            given[i] = { &test, i };
            assert_int_equal(pthread_create(&posters[i], nullptr, post_numbers, &given[i]), 0);
        }
        usleep(random.below(2000));
        test.queue->give_away();
        for (const pthread_t thread : consumers)
            pthread_join(thread, nullptr); // those that are not told hang
        usleep(random.below(500));
        test.is_over = true;
        for (const pthread_t thread : posters)
            pthread_join(thread, nullptr);
        assert_int_equal(test.taken_here + test.taken_by_source, test.posted);
        assert_int_equal(test.queue->depth(), 0);
        assert_int_equal(test.wrong, 0);
        test.queue.reset();
        ob::reclaim_now(); // while the source is there
    }
}

struct Removal {
    io::CompletionQueue* queue;
    NTSTATUS status = STATUS_SUCCESS;
};

void* remove_for_ever(void* argument)
{
    auto& removal = *static_cast<Removal*>(argument);
    CompletionPacket packet;
    uint32_t removed = 0;
    removal.status = removal.queue->remove(
        *ke::Thread::current(), &packet, 1, &removed, ke::Alertable::No, ke::DueTime::never());
    ke::Thread::detach();
    return nullptr;
}

void closing_the_queue_ends_all_removals(void**)
{
    Source source;
    ob::Ref<io::CompletionQueue> queue;
    assert_status(io::CompletionQueue::create(0, queue), STATUS_SUCCESS);
    assert_true(queue->set_source(source));
    queue->add_handle();
    Removal removals[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; ++i) {
        removals[i].queue = queue.get();
        assert_int_equal(pthread_create(&threads[i], nullptr, remove_for_ever, &removals[i]), 0);
    }
    usleep(20'000); // most likely they wait by now; when not, they find it closed
    queue->drop_handle();
    for (int i = 0; i < 3; ++i) {
        pthread_join(threads[i], nullptr);
        assert_int_equal(removals[i].status, STATUS_ABANDONED);
    }
    queue.reset();
    ob::reclaim_now();
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_is_taken_once),
        cmocka_unit_test(packets_are_given_away_in_order_and_once),
        cmocka_unit_test(closing_the_queue_ends_all_removals),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
