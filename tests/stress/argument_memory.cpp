#include "argument_memory.h"

#include <windows.h>

#include <cstring>
#include <iterator>

namespace stress {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSize = 4 * kPage;

char* reserve(size_t size)
{
    // What is freed later stays reserved: nobody else may get addresses that requests write to.
    void* const start = VirtualAlloc(nullptr, size, MEM_RESERVE, PAGE_NOACCESS);
    require(start != nullptr, "reserving memory");
    return static_cast<char*>(start);
}

void commit(char* start, size_t size)
{
    require(VirtualAlloc(start, size, MEM_COMMIT, PAGE_READWRITE) == start, "committing memory");
}

} // namespace

ArgumentMemory::ArgumentMemory()
    : m_start(reserve(kSize + kPage))
    , m_read_only(reserve(kPage))
    , m_freed(reserve(kPage))
{
    commit(m_start, kSize);
    commit(m_read_only, kPage);
    DWORD before;
    require(VirtualProtect(m_read_only, kPage, PAGE_READONLY, &before), "protecting memory");
    commit(m_freed, kPage);
    require(VirtualFree(m_freed, kPage, MEM_DECOMMIT), "freeing memory");
}

ArgumentMemory::~ArgumentMemory()
{
    for (char* const start : { m_start, m_read_only, m_freed })
        VirtualFree(start, 0, MEM_RELEASE);
}

void ArgumentMemory::shuffle(Dice& dice)
{
    const uint64_t words[] = { 0, dice.next(), ~uint64_t { 0 }, dice.next() };
    for (size_t i = 0; i < kSize; i += sizeof(words[0]))
        std::memcpy(m_start + i, &words[dice.next() % std::size(words)], sizeof(words[0]));
}

void* ArgumentMemory::place(Dice& dice, size_t size)
{
    if (size > kSize / 2)
        return m_start;
    switch (dice.below(8)) {
    case 0:
        return end() - size;
    case 1:
        return end() - dice.below(static_cast<unsigned>(size) + 1);
    case 2:
        return m_start + dice.below(static_cast<unsigned>(kSize - size));
    default:
        return good_place(dice, size);
    }
}

void* ArgumentMemory::good_place(Dice& dice, size_t size)
{
    constexpr size_t kAlignment = 16;
    const auto places = static_cast<unsigned>((kSize - size) / kAlignment);
    return m_start + dice.below(places) * kAlignment;
}

char* ArgumentMemory::end() const
{
    return m_start + kSize;
}

void* ArgumentMemory::bad_place(Dice& dice) const
{
    const uintptr_t highest = ~uintptr_t { 0 };
    void* const places[] = { nullptr, reinterpret_cast<void*>(1), reinterpret_cast<void*>(0xFFFF),
        m_freed, m_freed + 1, end(), end() + 1, m_read_only, m_read_only + 3,
        reinterpret_cast<void*>(&commit), reinterpret_cast<void*>(highest),
        reinterpret_cast<void*>(highest - 15), reinterpret_cast<void*>(highest / 2 + 1) };
    return places[dice.below(std::size(places))];
}

} // namespace stress
