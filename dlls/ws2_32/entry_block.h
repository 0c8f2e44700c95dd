// hostent, servent and protoent: one block of memory each, with everything they point to.
#pragma once

#include "name_table.h"
#include "host_address.h"
#include "thread.h"

namespace ws2 {

/// Builds an entry in a block. Nothing beyond the block is written; size() says afterwards how much
/// was needed. The block may be a draft that is copied elsewhere: pointers are made for `home`.
class EntryBlock {
public:
    /// `block` has `capacity` bytes; the entry will live at `home`.
    EntryBlock(void* block, size_t capacity, void* home)
        : m_block(static_cast<char*>(block))
        , m_home(static_cast<char*>(home))
        , m_capacity(capacity)
    {
    }

    size_t size() const { return m_size; }
    bool fits() const { return m_size <= m_capacity; }

    void put_host(const HostAnswer& answer, int family);
    void put_service(const NamedNumber& service);
    void put_protocol(const NamedNumber& protocol);

private:
    /// Room in the block; null where there is none left. `home` is where it will be.
    template <typename T> T* take(size_t count, T*& home);
    char* put_text(const char* text, size_t length);
    char* put_text(const wchar_t* text);
    char** put_aliases(const NamedNumber& entry);

    char* m_block;
    char* m_home;
    size_t m_capacity;
    size_t m_size = 0;
};

/// Makes an entry with `put(EntryBlock&)` in a block of the thread, over the one before. The block
/// moves only when it must grow. Null with WSA_NOT_ENOUGH_MEMORY as last error when memory is out.
/// [getservbyname/6]
template <typename Put> void* make_thread_entry(ThreadBlock& block, Put put)
{
    // Every service and protocol fits, so these never move, and hosts hardly ever.
    constexpr size_t kFirstSize = 2048;
    static_assert(sizeof(servent) + sizeof(NamedNumber) + NamedNumber::kMaxAliases * sizeof(char*)
            + sizeof(char*)
        <= kFirstSize);

    EntryBlock measure(nullptr, 0, nullptr);
    put(measure);
    if (measure.size() > block.size) {
        const size_t size = measure.size() > kFirstSize ? measure.size() : kFirstSize;
        void* memory = heap_allocate(size);
        if (!memory) {
            SetLastError(WSA_NOT_ENOUGH_MEMORY);
            return nullptr;
        }
        heap_free(block.memory);
        block = { memory, size };
    }
    EntryBlock entry(block.memory, block.size, block.memory);
    put(entry);
    SetLastError(0);
    return block.memory;
}

/// The end of a call that looks in a table: the entry of the calling thread, in its block `block`,
/// made with `put(EntryBlock&, const NamedNumber&)`, or null with an error.
template <typename Find, typename Put>
void* find_thread_entry(const NameQuery& query, Find find, ThreadBlock Thread::*block, Put put)
{
    NamedNumber found;
    if (!find(query, found)) {
        SetLastError(WSANO_DATA);
        return nullptr;
    }
    Thread* thread = Thread::current();
    if (!thread) {
        SetLastError(WSA_NOT_ENOUGH_MEMORY);
        return nullptr;
    }
    return make_thread_entry(thread->*block, [&](EntryBlock& entry) { put(entry, found); });
}

} // namespace ws2
