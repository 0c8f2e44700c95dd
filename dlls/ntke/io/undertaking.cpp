#include "io/undertaking.h"

#include "io/irp.h"

namespace io {

Undertaking::Undertaking()
    : m_thread(ke::Thread::current())
{
    if (!m_thread)
        return;
    if (g_before_pending)
        g_before_pending(*m_thread); // so that it is found
    if (!m_thread->begin_undertaking())
        m_thread = nullptr;
}

Undertaking::~Undertaking()
{
    if (m_thread)
        m_thread->end_undertaking();
}

} // namespace io
