#include "thread.h"

#include "emulation.h"
#include "heap.h"
#include "kernel.h"

#include <initializer_list>
#include <new>
#include <utility>

namespace ws2 {

static DWORD thread_slot = TLS_OUT_OF_INDEXES;

/// Every state there is. It only grows, so a thread that ends needs no lock: it could wait for one
/// that was terminated.
static std::atomic<Thread*> all_threads { nullptr };

/// A state that a thread has left behind; null when there is none.
static Thread* take_idle()
{
    for (Thread* thread = all_threads.load(std::memory_order_acquire); thread;
         thread = thread->next) {
        if (!thread->is_taken.load(std::memory_order_relaxed)
            && !thread->is_taken.exchange(true, std::memory_order_acquire))
            return thread;
    }
    return nullptr;
}

static Thread* make()
{
    void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Thread));
    if (!memory)
        return nullptr;
    auto* thread = new (memory) Thread;
    thread->next = all_threads.load(std::memory_order_relaxed);
    while (!all_threads.compare_exchange_weak(thread->next, thread, std::memory_order_release)) { }
    return thread;
}

/// Gives back what a thread has collected.
static void clear(Thread& thread)
{
    for (Thread::KeptEvent& event : thread.wait_events) {
        if (event.handle)
            kernel::close(event.handle);
        event = {};
    }
    thread.open_type = 0;
    thread.gate_call = nullptr;
    thread.ring = nullptr;
    thread.is_ring_told = false;
    thread.is_ring_lost = false;
    for (ThreadBlock* block : { &thread.host_entry, &thread.service_entry, &thread.protocol_entry })
        heap_free(std::exchange(*block, {}).memory);
}

Thread* Thread::current()
{
    // TlsGetValue clears the last error, which belongs to the program.
    const DWORD last_error = GetLastError();
    auto* thread = static_cast<Thread*>(TlsGetValue(thread_slot));
    SetLastError(last_error);
    if (thread)
        return thread;
    thread = take_idle();
    if (!thread)
        thread = make();
    TlsSetValue(thread_slot, thread);
    SetLastError(last_error);
    return thread;
}

bool thread_attach_process()
{
    thread_slot = TlsAlloc();
    return thread_slot != TLS_OUT_OF_INDEXES;
}

void thread_detach_process()
{
    TlsFree(thread_slot);
    Thread* thread = all_threads.exchange(nullptr);
    while (thread) {
        Thread* const next = thread->next;
        clear(*thread);
        HeapFree(GetProcessHeap(), 0, thread);
        thread = next;
    }
}

void thread_detach_thread()
{
    auto* thread = static_cast<Thread*>(TlsGetValue(thread_slot));
    if (!thread)
        return;
    TlsSetValue(thread_slot, nullptr);
    clear(*thread);
    thread->is_taken.store(false, std::memory_order_release);
}

static HANDLE create_wait_event()
{
    HANDLE event;
    return NT_SUCCESS(kernel::create_event(&event, kNotificationEvent)) ? event : nullptr;
}

/// Of transfers both at once, so that a thread has what it needs from its first one on.
static void create_wait_events(Thread& thread, WaitsFor whom)
{
    const bool is_alone = whom == WaitsFor::kEither || !emulation::is_on();
    for (const WaitsFor kind : { WaitsFor::kHost, WaitsFor::kNtke, WaitsFor::kEither }) {
        Thread::KeptEvent& event = thread.wait_events[static_cast<int>(kind)];
        if (!event.handle && (kind == whom || (!is_alone && kind != WaitsFor::kEither)))
            event.handle = create_wait_event();
    }
}

WaitEvent::WaitEvent(WaitsFor whom)
{
    Thread* const thread = Thread::current();
    Thread::KeptEvent* kept = thread ? &thread->wait_events[static_cast<int>(whom)] : nullptr;
    if (!kept || kept->in_use) {
        m_event = create_wait_event();
        return;
    }
    if (!kept->handle)
        create_wait_events(*thread, whom);
    m_kept = kept;
    m_event = kept->handle;
    kept->in_use = m_event != nullptr;
}

WaitEvent::~WaitEvent()
{
    if (m_kept)
        m_kept->in_use = false;
    else if (m_event)
        kernel::close(m_event);
}

} // namespace ws2
