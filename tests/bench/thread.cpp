#include "thread.h"

namespace bench {

bool Thread::start(std::function<void()> body)
{
    m_body = std::move(body);
    m_handle = CreateThread(nullptr, 0, entry, this, 0, nullptr);
    return m_handle != nullptr;
}

void Thread::join()
{
    if (!m_handle)
        return;
    WaitForSingleObject(m_handle, INFINITE);
    CloseHandle(m_handle);
    m_handle = nullptr;
}

DWORD WINAPI Thread::entry(void* self)
{
    static_cast<Thread*>(self)->m_body();
    return 0;
}

} // namespace bench
