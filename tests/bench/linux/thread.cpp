#include "../thread.h"

#include <pthread.h>

namespace bench {

namespace {

void* run(void* body)
{
    (*static_cast<std::function<void()>*>(body))();
    return nullptr;
}

} // namespace

bool Thread::start(std::function<void()> body)
{
    m_body = std::move(body);
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run, &m_body))
        return false;
    m_handle = reinterpret_cast<void*>(thread);
    return true;
}

void Thread::join()
{
    if (!m_handle)
        return;
    pthread_join(reinterpret_cast<pthread_t>(m_handle), nullptr);
    m_handle = nullptr;
}

} // namespace bench
