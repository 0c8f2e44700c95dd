#include "ke/pool.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace ke {

namespace {

std::atomic<int64_t> g_blocks_in_use { 0 };
std::atomic<int64_t> g_successes_left { -1 };
std::atomic<bool> g_failure_happened { false };

constexpr size_t kLine = 64;

/// What malloc gave, kept in front of the memory; malloc's alignment leaves room for it there.
void*& block_of(void* memory)
{
    static_assert(alignof(std::max_align_t) >= sizeof(void*));
    return static_cast<void**>(memory)[-1];
}

/// Is this the allocation that is to fail?
bool is_ordered_to_fail()
{
    int64_t left = g_successes_left.load(std::memory_order_relaxed);
    while (left >= 0) {
        if (g_successes_left.compare_exchange_weak(left, left - 1)) {
            if (left == 0)
                g_failure_happened = true;
            return left == 0;
        }
    }
    return false;
}

} // namespace

void* pool_allocate(size_t size)
{
    if (is_ordered_to_fail())
        return nullptr;
    // Whole cache lines: two threads that set two events must not meet in one. Made out of malloc's
    // blocks, since the C library keeps no aligned ones at hand.
    const size_t rounded = (size + kLine - 1) / kLine * kLine;
    auto* block = static_cast<uint8_t*>(std::malloc(rounded + kLine));
    if (!block)
        return nullptr;
    uint8_t* memory = block + kLine - reinterpret_cast<uintptr_t>(block) % kLine;
    block_of(memory) = block;
    std::memset(memory, 0, rounded);
    g_blocks_in_use.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

void pool_free(void* memory)
{
    if (!memory)
        return;
    g_blocks_in_use.fetch_sub(1, std::memory_order_relaxed);
    std::free(block_of(memory));
}

int64_t pool_blocks_in_use()
{
    return g_blocks_in_use.load(std::memory_order_relaxed);
}

void pool_fail_after(int64_t successes)
{
    g_failure_happened = false;
    g_successes_left = successes;
}

bool pool_failure_happened()
{
    return g_failure_happened;
}

} // namespace ke
