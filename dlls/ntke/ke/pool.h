// Memory of the kernel emulation. Everything that can run out of memory allocates here, so that a
// test can make the nth allocation fail and walk every path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace ke {

/// Returns zeroed memory aligned for any object, or null. Counterpart: ExAllocatePool2.
void* pool_allocate(size_t size);

/// Frees what pool_allocate returned; null is ignored. Counterpart: ExFreePool.
void pool_free(void* memory);

/// Blocks allocated and not freed yet: tests compare it before and after.
int64_t pool_blocks_in_use();

/// Lets `successes` more allocations succeed, then fails exactly one and goes back to normal.
/// Negative: never fail. For tests; one counter for the whole process.
void pool_fail_after(int64_t successes);

/// Did the failure ordered by pool_fail_after happen?
bool pool_failure_happened();

/// Builds a T in the pool; null when memory is out.
template <typename T, typename... Args> T* pool_new(Args&&... args)
{
    void* memory = pool_allocate(sizeof(T));
    return memory ? new (memory) T(std::forward<Args>(args)...) : nullptr;
}

/// Undoes pool_new.
template <typename T> void pool_delete(T* object)
{
    if (!object)
        return;
    object->~T();
    pool_free(object);
}

} // namespace ke
