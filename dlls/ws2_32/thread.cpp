#include "thread.h"

#include "kernel.h"

#include <initializer_list>
#include <new>

namespace ws2 {

static DWORD thread_slot = TLS_OUT_OF_INDEXES;

Thread* Thread::current()
{
    // TlsGetValue clears the last error, which belongs to the program.
    const DWORD last_error = GetLastError();
    auto* thread = static_cast<Thread*>(TlsGetValue(thread_slot));
    SetLastError(last_error);
    if (thread)
        return thread;
    void* memory = HeapAlloc(GetProcessHeap(), 0, sizeof(Thread));
    if (!memory)
        return nullptr;
    thread = new (memory) Thread;
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
    thread_detach_thread();
    TlsFree(thread_slot);
}

void thread_detach_thread()
{
    auto* thread = static_cast<Thread*>(TlsGetValue(thread_slot));
    if (!thread)
        return;
    if (thread->wait_event)
        kernel::close(thread->wait_event);
    HANDLE heap = GetProcessHeap();
    for (void* block : { thread->host_entry, thread->service_entry, thread->protocol_entry }) {
        if (block)
            HeapFree(heap, 0, block);
    }
    HeapFree(heap, 0, thread);
    TlsSetValue(thread_slot, nullptr);
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
