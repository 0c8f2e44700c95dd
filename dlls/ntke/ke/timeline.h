// ntke's share of the process' timeline (ntke/timeline.h): what `ws2 trace` shows.
//
// Off, it costs the test of a pointer. On, an entry takes no lock and waits for nothing, so it may
// be made anywhere.
#pragma once

#include <atomic>

#include "nt/types.h"
#include "ntke/timeline.h"

namespace ke::timeline {

using namespace ntke::timeline;

/// Null: nothing is recorded. Once there is one, it stays.
extern std::atomic<Header*> g_header;

/// The number that the program knows the calling thread by; null: Linux' own.
extern uint32_t (*g_thread_number)();

inline bool is_on()
{
    return g_header.load(std::memory_order_relaxed);
}

/// Begins to record. `ring` is one that the calling thread has already, or null; returns the one
/// that it is to use, null: none is left.
Ring* adopt(Header& header, Ring* ring, uint32_t thread);

/// Gives the calling thread its ring, which takes a question to the host. For threads whose first
/// entry may be made under a lock: what comes by a service or from ws2_32 has one by then.
void begin_thread();

/// The next entry of the calling thread; null: there is no ring for it. Only where is_on.
Entry* note(Kind kind, uint16_t name, uint64_t subject);

/// While it exists, the calling thread records nothing. Owner: a stack frame.
class Pause {
public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;

private:
    const bool m_before;
};

/// The name of a service, with its number in the file. Owner: static storage.
struct Name {
    const char* text;
    std::atomic<uint32_t> one_more { 0 }; // than the number; 0: it has none yet

    uint16_t get();
};

/// An entry with a status and up to three values.
inline void note_status(Kind kind, uint64_t subject, NTSTATUS status, uint64_t first = 0,
    uint64_t second = 0, uint64_t third = 0)
{
    if (!is_on()) [[likely]]
        return;
    if (Entry* entry = note(kind, 0, subject)) {
        entry->values[0] = first;
        entry->values[1] = second;
        entry->values[2] = third;
        entry->status = status;
    }
}

/// What a wait waits for, after the entry of the wait.
void note_handles(const HANDLE* handles, ULONG count);

/// A service and its arguments, as far as there is room.
void note_service(Name& name, const uint64_t* arguments, uint32_t count);
void note_service_end(Name& name, NTSTATUS status);
/// A service of the host that ntke has called, since `begin`.
void note_host(Name& name, uint64_t begin, NTSTATUS status);

} // namespace ke::timeline
