#include "ob/object.h"

#include "ob/reclaim.h"

namespace ob {

Object::Object(Type& type, ke::DispatcherObject* dispatcher)
    : m_type(type)
    , m_dispatcher(dispatcher)
{
    m_type.objects.fetch_add(1, std::memory_order_relaxed);
}

Object::~Object()
{
    m_type.objects.fetch_sub(1, std::memory_order_relaxed);
}

bool Object::try_reference()
{
    int32_t count = m_pointer_count.load(std::memory_order_relaxed);
    do {
        if (count == 0)
            return false;
    } while (!m_pointer_count.compare_exchange_weak(
        count, count + 1, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
}

void Object::dereference()
{
    if (m_pointer_count.fetch_sub(1, std::memory_order_acq_rel) != 1)
        return;
    on_last_reference_dropped();
    Reclaimer::instance().retire(*this);
}

void Object::drop_handle()
{
    if (m_handle_count.fetch_sub(1, std::memory_order_acq_rel) == 1)
        on_last_handle_closed();
}

} // namespace ob
