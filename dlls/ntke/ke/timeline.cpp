#include "ke/timeline.h"

#include <algorithm>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace ke::timeline {

std::atomic<Header*> g_header { nullptr };
uint32_t (*g_thread_number)() = nullptr;

namespace {

/// The calling thread's ring.
constinit thread_local Ring* t_ring __attribute__((tls_model("initial-exec"))) = nullptr;
/// It has none, or is about to ask the host for its number, which is no news either.
constinit thread_local bool t_has_none __attribute__((tls_model("initial-exec"))) = false;

constinit thread_local bool t_is_paused __attribute__((tls_model("initial-exec"))) = false;

pthread_once_t g_exit_key_once = PTHREAD_ONCE_INIT;
pthread_key_t g_exit_key;

void use_ring(Ring* ring)
{
    t_ring = ring;
    t_has_none = !ring;
    pthread_once(&g_exit_key_once, [] {
        pthread_key_create(&g_exit_key, [](void*) {
            t_has_none = true;
            if (t_ring)
                leave_ring(*std::exchange(t_ring, nullptr));
        });
    });
    pthread_setspecific(g_exit_key, ring);
}

/// The calling thread's ring, which it gets with its first entry. Null: there is none for it.
Ring* ring_of_current(Header& header)
{
    if (t_ring || std::exchange(t_has_none, true)) [[likely]]
        return t_ring;
    const uint32_t thread = g_thread_number ? g_thread_number() : static_cast<uint32_t>(gettid());
    use_ring(take_ring(header, thread));
    return t_ring;
}

} // namespace

Ring* adopt(Header& header, Ring* ring, uint32_t thread)
{
    if (!t_ring)
        use_ring(ring ? ring : take_ring(header, thread));
    g_header.store(&header, std::memory_order_release);
    return t_ring;
}

Entry* note(Kind kind, uint16_t name, uint64_t subject)
{
    if (t_is_paused)
        return nullptr;
    Header& header = *g_header.load(std::memory_order_acquire);
    Ring* const ring = ring_of_current(header);
    return ring ? &next_entry(header, *ring, kind, name, subject) : nullptr;
}

void begin_thread()
{
    if (Header* header = g_header.load(std::memory_order_acquire))
        ring_of_current(*header);
}

Pause::Pause()
    : m_before(std::exchange(t_is_paused, true))
{
}

Pause::~Pause()
{
    t_is_paused = m_before;
}

uint16_t Name::get()
{
    // Two threads may come at the same time: then it is in the file twice.
    uint32_t known = one_more.load(std::memory_order_relaxed);
    if (!known) {
        known = add_name(*g_header.load(std::memory_order_acquire), text) + 1u;
        one_more.store(known, std::memory_order_relaxed);
    }
    return static_cast<uint16_t>(known - 1);
}

void note_handles(const HANDLE* handles, ULONG count)
{
    for (ULONG i = 0; i < count; i += 4) {
        Entry* entry = note(kHandles, 0, std::min<ULONG>(count - i, 4));
        for (ULONG j = 0; entry && j < 4 && i + j < count; ++j)
            entry->values[j] = reinterpret_cast<uintptr_t>(handles[i + j]);
    }
}

void note_service(Name& name, const uint64_t* arguments, uint32_t count)
{
    Entry* entry = note(kService, name.get(), count ? arguments[0] : 0);
    if (!entry)
        return;
    for (uint32_t i = 1; i < count && i < 5; ++i)
        entry->values[i - 1] = arguments[i];
    if (count > 5)
        entry->detail = static_cast<uint32_t>(arguments[5]);
}

void note_service_end(Name& name, NTSTATUS status)
{
    if (Entry* entry = note(kServiceEnd, name.get(), 0))
        entry->status = status;
}

void note_host(Name& name, uint64_t begin, NTSTATUS status)
{
    if (Entry* entry = note(kHost, name.get(), 0)) {
        entry->values[0] = entry->time - begin;
        entry->status = status;
    }
}

} // namespace ke::timeline
