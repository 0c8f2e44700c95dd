// The timeline of a process: each thread's entries are in order and whole, the oldest are lost
// first, a ring goes on to the next thread, and whoever finds none is counted.
#include "ke/timeline.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include <pthread.h>

#include "unit.h"

namespace {

using namespace ke::timeline;

constexpr uint32_t kEntries = 64; // of a ring

/// One file's worth of memory for the process; recording cannot be ended.
Header& header()
{
    static Header* made = [] {
        void* memory = std::calloc(1, Header::file_size(kEntries));
        auto* header = static_cast<Header*>(memory);
        header->entries_per_ring = kEntries;
        return header;
    }();
    return *made;
}

const Entry* entries_of(const Ring& ring)
{
    return header().entries() + (&ring - header().rings) * kEntries;
}

void each_entry_has_a_place_of_its_own(void**)
{
    Ring* ring = take_ring(header(), 7);
    assert_non_null(ring);
    for (uint64_t i = 0; i < 10; ++i)
        next_entry(header(), *ring, kRecorded, 0, i).values[0] = i;
    assert_int_equal(ring->count.load(), 10);
    for (uint64_t i = 0; i < 10; ++i) {
        const Entry& entry = entries_of(*ring)[i];
        assert_int_equal(entry.subject, i);
        assert_int_equal(entry.values[0], i);
        assert_int_equal(entry.thread, 7);
        assert_int_equal(entry.kind, kRecorded);
    }
    leave_ring(*ring);
}

void the_oldest_is_lost_first(void**)
{
    Ring* ring = take_ring(header(), 8);
    assert_non_null(ring);
    const uint64_t before = ring->count.load();
    for (uint64_t i = 0; i < 3 * kEntries; ++i)
        next_entry(header(), *ring, kRecorded, 0, i);
    assert_int_equal(ring->count.load() - before, 3 * kEntries);
    uint64_t lowest = ~uint64_t { 0 };
    for (uint32_t i = 0; i < kEntries; ++i)
        lowest = std::min(lowest, entries_of(*ring)[i].subject);
    assert_int_equal(lowest, 2 * kEntries);
    leave_ring(*ring);
}

void a_ring_goes_on_to_the_next_thread(void**)
{
    Ring* first = take_ring(header(), 1);
    Ring* second = take_ring(header(), 2);
    assert_ptr_not_equal(first, second);
    leave_ring(*first);
    Ring* third = take_ring(header(), 3);
    assert_ptr_equal(third, first);
    assert_int_equal(next_entry(header(), *third, kRecorded, 0, 0).thread, 3);
    leave_ring(*second);
    leave_ring(*third);
}

void who_finds_no_ring_is_counted(void**)
{
    Ring* taken[kRings];
    for (uint32_t i = 0; i < kRings; ++i) {
        taken[i] = take_ring(header(), i + 1);
        assert_non_null(taken[i]);
    }
    const uint32_t before = header().threads_lost.load();
    assert_null(take_ring(header(), 1000));
    assert_int_equal(header().threads_lost.load(), before + 1);
    for (Ring* ring : taken)
        leave_ring(*ring);
}

void names_have_numbers(void**)
{
    static Name first { "NtFirst" };
    static Name second { "NtSecond" };
    adopt(header(), nullptr, 9);
    const uint16_t number = first.get();
    assert_int_equal(first.get(), number);
    assert_int_not_equal(second.get(), number);
    assert_string_equal(header().names[number], "NtFirst");
    assert_string_equal(header().names[second.get()], "NtSecond");
}

struct Writer {
    pthread_t thread;
    uint64_t number;
    const Ring* ring = nullptr;
};
constexpr uint64_t kEach = 10'000;

void* write_entries(void* argument)
{
    auto& writer = *static_cast<Writer*>(argument);
    for (uint64_t i = 0; i < kEach; ++i) {
        note_status(kRecorded, i, static_cast<NTSTATUS>(writer.number), i, ~i, writer.number);
        if (i == kEach / 2) {
            const Pause pause;
            assert_null(note(kRecorded, 0, 0));
        }
    }
    writer.ring = adopt(header(), nullptr, 0); // the one it has
    return nullptr;
}

void threads_do_not_meet(void**)
{
    adopt(header(), nullptr, 9);
    Writer writers[8];
    for (uint64_t i = 0; i < std::size(writers); ++i) {
        writers[i].number = i;
        assert_int_equal(
            pthread_create(&writers[i].thread, nullptr, write_entries, &writers[i]), 0);
    }
    for (Writer& writer : writers)
        pthread_join(writer.thread, nullptr);
    for (const Ring& ring : header().rings) {
        // Entries of one thread at least in each block: an end that another has gone on from is
        // whole too.
        for (uint32_t i = 0; i < std::min<uint64_t>(ring.count.load(), kEntries); ++i) {
            const Entry& entry = entries_of(ring)[i];
            if (entry.kind != kRecorded || entry.values[1] != ~entry.values[0])
                continue; // of another case
            assert_int_equal(entry.subject, entry.values[0]);
            assert_int_equal(entry.status, entry.values[2]);
        }
    }
    for (const Writer& writer : writers) {
        assert_non_null(writer.ring);
        assert_int_equal(writer.ring->owner.load(), 0); // left at the thread's end
    }
}

} // namespace

int main()
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const CMUnitTest cases[] = {
        cmocka_unit_test(each_entry_has_a_place_of_its_own),
        cmocka_unit_test(the_oldest_is_lost_first),
        cmocka_unit_test(a_ring_goes_on_to_the_next_thread),
        cmocka_unit_test(who_finds_no_ring_is_counted),
        cmocka_unit_test(names_have_numbers),
        cmocka_unit_test(threads_do_not_meet),
    };
    return cmocka_run_group_tests(cases, nullptr, nullptr);
}
