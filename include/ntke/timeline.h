// What `ws2 trace` reads: the file that a process writes what happens in it to, while it happens.
//
// The file is mapped into the process, so what is in it survives the process, however that ends. It
// is written by both halves, ws2_32.dll and ntke.so, each thread into a ring of its own; the oldest
// entries are lost first. Every field has a fixed size: the layout is the same for both compilers,
// and tools/ws2lib/timeline_file.py reads it.
//
//      Header | Ring x kRings | Entry x (kRings * entries_per_ring)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ntke::timeline {

constexpr char kMagic[8] = { 'w', 's', '2', 't', 'i', 'm', 'e', '1' };
constexpr uint32_t kRings = 128; // threads at a time
constexpr uint32_t kNames = 320; // of calls and services
constexpr uint32_t kModules = 64;

enum Kind : uint16_t {
    kNothing,
    // Of calls and services. `name` says which.
    kCall, // an export begins. subject: its first argument; values: see Entry
    kReturn, // and ends. values: result, what it has told (bytes, say); status: error
    kText, // of the entry before it: a name
    kAddress, // of the entry before it: a sockaddr
    kHandles, // of the entry before it: handles that it waits for. subject: how many of the values
    kService, // a system service that ntke has taken begins. values: further arguments
    kServiceEnd, // status: its result
    kHost, // a service of the host that ntke has called. values: how long, in ticks
    // Of a socket: subject is its handle.
    kRecorded, // a network event. values: condition (afd::PollFlags), mask, is the event set;
               // status
    kSelected, // network events with an event. values: mask (afd::PollFlags), is it auto-reset
    kPacket, // a packet was taken. subject: the port; values: context, key, bytes; status
    kHandedOver, // to the host. text: why
    kFault, // a call is tampered with. values: delay in ms, is it cut; status: error
    // Of a request: subject is its status block, which the service was given that has made it.
    kPended, // it waits. values: context, code
    kCompleted, // one that waited has ended. values: context, bytes; status
};

/// One thing that happened. Times are ticks of the processor's clock (see Anchor).
///
/// Of a kCall: values are buffer, bytes and OVERLAPPED of a call that has them, otherwise the
/// second to fourth argument; then the address the call returns to.
struct Entry {
    uint64_t time;
    uint32_t thread; // Windows' number
    uint16_t kind;
    uint16_t name; // in Header::names
    uint64_t subject;
    union {
        struct {
            uint64_t values[4];
            int32_t status;
            uint32_t detail;
        };
        char text[40];
    };
};
static_assert(sizeof(Entry) == 64);

/// Entries of one thread at a time; only that thread writes. One that has ended leaves its ring to
/// another.
struct Ring {
    std::atomic<uint32_t> owner; // the thread; 0: nobody's
    uint32_t padding;
    std::atomic<uint64_t> count; // entries ever written
};
static_assert(sizeof(Ring) == 16);

/// One moment in both clocks.
struct Anchor {
    uint64_t ticks;
    uint64_t time; // 100 ns since 1601
};

/// A module that calls have come from.
struct Module {
    uint64_t base;
    uint64_t size;
    char path[112]; // its end, where it is longer
};
static_assert(sizeof(Module) == 128);

struct Header {
    char magic[8];
    uint32_t process; // Windows' number
    uint32_t entries_per_ring; // a power of two
    Anchor anchors[2]; // the first, and the newest
    std::atomic<uint32_t> names_used;
    std::atomic<uint32_t> modules_used;
    std::atomic<uint32_t> threads_lost; // that found no ring
    uint16_t is_on_ntke;
    uint16_t has_ended; // it came to its own end
    char program[256];
    char names[kNames][48];
    Module modules[kModules];
    Ring rings[kRings];

    Entry* entries() { return reinterpret_cast<Entry*>(this + 1); }
    static uint64_t file_size(uint32_t entries_per_ring)
    {
        return sizeof(Header) + uint64_t { kRings } * entries_per_ring * sizeof(Entry);
    }
};
static_assert(offsetof(Header, names) == 320 && sizeof(Header) == 320 + 15360 + 8192 + 2048);

/// The processor's clock: the same for all threads and processes, and for both halves.
inline uint64_t now()
{
    return __builtin_ia32_rdtsc();
}

/// A ring for a thread; null: all are taken.
inline Ring* take_ring(Header& header, uint32_t thread)
{
    for (Ring& ring : header.rings) {
        uint32_t nobody = 0;
        if (!ring.owner.load(std::memory_order_relaxed)
            && ring.owner.compare_exchange_strong(nobody, thread, std::memory_order_acquire))
            return &ring;
    }
    header.threads_lost.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
}

/// Leaves it to another thread, with what is in it.
inline void leave_ring(Ring& ring)
{
    ring.owner.store(0, std::memory_order_release);
}

/// The place of the next entry, for the ring's thread to fill in. One that is made on top of it, in
/// an APC, gets the next.
inline Entry& next_entry(Header& header, Ring& ring, Kind kind, uint16_t name, uint64_t subject)
{
    const uint64_t count = ring.count.load(std::memory_order_relaxed);
    ring.count.store(count + 1, std::memory_order_release);
    const size_t first = static_cast<size_t>(&ring - header.rings) * header.entries_per_ring;
    Entry& entry = header.entries()[first + (count & (header.entries_per_ring - 1))];
    entry.time = now();
    entry.thread = ring.owner.load(std::memory_order_relaxed);
    entry.kind = kind;
    entry.name = name;
    entry.subject = subject;
    std::memset(entry.text, 0, sizeof(entry.text));
    return entry;
}

/// A number for a name; all that come too late share the last.
inline uint16_t add_name(Header& header, const char* name)
{
    const uint32_t index = header.names_used.fetch_add(1, std::memory_order_relaxed);
    const uint32_t used = index < kNames ? index : kNames - 1;
    std::strncpy(header.names[used], name, sizeof(header.names[used]) - 1);
    return static_cast<uint16_t>(used);
}

} // namespace ntke::timeline
