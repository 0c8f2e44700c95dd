// Memory from the process heap. Running out of it is an error of the call, never an abort.
#pragma once

#include <cstring>
#include <type_traits>
#include <utility>

#include "sdk.h"

namespace ws2 {

/// Uninitialised memory; null when there is none left. Owner: the caller, until heap_free.
inline void* heap_allocate(size_t size)
{
    return HeapAlloc(GetProcessHeap(), 0, size);
}

/// Null is allowed.
inline void heap_free(void* block)
{
    if (block)
        HeapFree(GetProcessHeap(), 0, block);
}

/// A growing array of plain values, freed with its owner. Not for sharing between threads.
template <typename T> class HeapArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    HeapArray() = default;
    HeapArray(const HeapArray&) = delete;
    ~HeapArray() { heap_free(m_items); }

    size_t count() const { return m_count; }
    T* begin() { return m_items; }
    T* end() { return m_items + m_count; }
    const T* begin() const { return m_items; }
    const T* end() const { return m_items + m_count; }
    T& operator[](size_t index) { return m_items[index]; }
    const T& operator[](size_t index) const { return m_items[index]; }
    /// Drops the items behind the first `count`.
    void truncate(size_t count) { m_count = count; }

    /// Makes room for `extra` more items; false when memory is out.
    bool reserve(size_t extra)
    {
        if (m_count + extra <= m_capacity)
            return true;
        size_t capacity = m_capacity ? m_capacity * 2 : 8;
        if (capacity < m_count + extra)
            capacity = m_count + extra;
        auto* items = static_cast<T*>(heap_allocate(capacity * sizeof(T)));
        if (!items)
            return false;
        if (m_count)
            std::memcpy(items, m_items, m_count * sizeof(T));
        heap_free(std::exchange(m_items, items));
        m_capacity = capacity;
        return true;
    }

    /// Appends `count` items; false when memory is out, and then nothing was appended.
    bool append(const T* items, size_t count)
    {
        if (!reserve(count))
            return false;
        if (count)
            std::memcpy(m_items + m_count, items, count * sizeof(T));
        m_count += count;
        return true;
    }

    bool append(const T& item) { return append(&item, 1); }

private:
    T* m_items = nullptr;
    size_t m_count = 0;
    size_t m_capacity = 0;
};

} // namespace ws2
