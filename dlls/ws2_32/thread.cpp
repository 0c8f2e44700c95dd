#include "thread.h"

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
    if (thread.wait_event)
        kernel::close(std::exchange(thread.wait_event, nullptr));
    thread.wait_event_in_use = false;
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

WaitEvent::WaitEvent()
    : m_thread(Thread::current())
{
    if (m_thread && !m_thread->wait_event_in_use) {
        if (!m_thread->wait_event
            && !NT_SUCCESS(kernel::create_event(&m_thread->wait_event, kNotificationEvent)))
            m_thread->wait_event = nullptr;
        m_event = m_thread->wait_event;
        m_thread->wait_event_in_use = m_event != nullptr;
    } else if (!NT_SUCCESS(kernel::create_event(&m_event, kNotificationEvent))) {
        m_event = nullptr;
    }
}

WaitEvent::~WaitEvent()
{
    if (!m_event)
        return;
    if (m_thread && m_event == m_thread->wait_event)
        m_thread->wait_event_in_use = false;
    else
        kernel::close(m_event);
}

} // namespace ws2
