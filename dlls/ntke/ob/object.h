// The object header and counted references.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "ob/type.h"

namespace ke {
class DispatcherObject;
}

namespace ob {

/// What every object starts with. Counterpart: OBJECT_HEADER.
///
/// Owner: its references; the first one belongs to whoever created it. Lock: none, the counts are
/// atomic. The memory of an object outlives its last reference until no ReadSection that may have
/// seen it in a handle table is left (see read_section.h). Objects live in the pool (ke/pool.h);
/// Object is the first base of its derived classes, so that both start at one address.
class Object {
public:
    const Type& type() const { return m_type; }

    /// What a wait on a handle to this object waits for; null when it cannot be waited for.
    /// Counterpart: OBJECT_TYPE.DefaultObject.
    ke::DispatcherObject* dispatcher() const { return m_dispatcher; }

    /// Counterpart: ObReferenceObject. The caller holds a reference already.
    void reference() { m_pointer_count.fetch_add(1, std::memory_order_relaxed); }
    /// For callers inside a ReadSection, who hold none: refuses when the last one has gone.
    bool try_reference();
    /// Counterpart: ObDereferenceObject. The last call makes the object go away. Call it without
    /// any lock held: the object's last rites take locks of their own.
    void dereference();

    /// A handle to the object appeared / disappeared. Called by handle tables only. Dropping the
    /// last handle runs on_last_handle_closed; a handle never comes back after that.
    void add_handle() { m_handle_count.fetch_add(1, std::memory_order_relaxed); }
    void drop_handle();
    int32_t handle_count() const { return m_handle_count.load(std::memory_order_relaxed); }

protected:
    Object(Type& type, ke::DispatcherObject* dispatcher);
    virtual ~Object();
    static void operator delete(void*) { } // the reclaimer frees; keeps the C++ runtime out

private:
    /// The last handle is gone, references may remain. No lock held; called once at most.
    /// Counterpart: the type's close procedure, IRP_MJ_CLEANUP for files.
    virtual void on_last_handle_closed() { }
    /// The last reference is gone; nobody can get a new one. No lock held; called exactly once.
    /// The destructor follows after the last ReadSection that could still look at the object.
    /// Counterpart: the type's delete procedure, IRP_MJ_CLOSE for files.
    virtual void on_last_reference_dropped() { }

    friend class Reclaimer;

    Type& m_type;
    ke::DispatcherObject* const m_dispatcher;
    std::atomic<int32_t> m_pointer_count { 1 };
    std::atomic<int32_t> m_handle_count { 0 };
    Object* m_next_retired = nullptr; // guarded by the reclaimer's lock
};

/// A counted reference. Same thread-safety as a plain pointer.
template <typename T> class Ref {
public:
    Ref() = default;
    Ref(const Ref& other)
        : m_object(other.m_object)
    {
        if (m_object)
            m_object->reference();
    }
    Ref(Ref&& other) noexcept
        : m_object(std::exchange(other.m_object, nullptr))
    {
    }
    Ref& operator=(Ref other) noexcept
    {
        std::swap(m_object, other.m_object);
        return *this;
    }
    ~Ref() { reset(); }

    /// Takes over a reference the caller owns.
    static Ref adopt(T* object)
    {
        Ref ref;
        ref.m_object = object;
        return ref;
    }
    /// Adds a reference to an object somebody else keeps alive.
    static Ref share(T* object)
    {
        if (object)
            object->reference();
        return adopt(object);
    }

    void reset()
    {
        if (T* object = std::exchange(m_object, nullptr))
            object->dereference();
    }
    /// Gives the reference away.
    [[nodiscard]] T* release() { return std::exchange(m_object, nullptr); }

    T* get() const { return m_object; }
    T* operator->() const { return m_object; }
    T& operator*() const { return *m_object; }
    explicit operator bool() const { return m_object != nullptr; }

private:
    T* m_object = nullptr;
};

} // namespace ob
