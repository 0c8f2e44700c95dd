#include "thread.h"

#include <windows.h>

namespace bench {

namespace {

DWORD WINAPI run(void* body)
{
    (*static_cast<std::function<void()>*>(body))();
    return 0;
}

} // namespace

bool Thread::start(std::function<void()> body)
{
    m_body = std::move(body);
    m_handle = CreateThread(nullptr, 0, run, &m_body, 0, nullptr);
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

} // namespace bench
