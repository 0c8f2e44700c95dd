#pragma once

// Memory for arguments: good and bad places for a block of the program's.

#include "harness.h"

#include <cstddef>
#include <cstdint>

namespace stress {

/// The memory one thread's arguments lie in. Behind its end nothing is mapped, so that a call that
/// goes too far by one byte is found. What stands in it changes from call to call, while requests
/// that pend may read and write it: a kernel has to live with that.
class ArgumentMemory {
public:
    ArgumentMemory();
    ArgumentMemory(const ArgumentMemory&) = delete;
    ArgumentMemory& operator=(const ArgumentMemory&) = delete;
    ~ArgumentMemory();

    /// Fills it with new bytes.
    void shuffle(Dice& dice);

    /// Somewhere in it, for a block of `size` bytes: aligned or odd, at times with the end of the
    /// memory behind it or within it.
    void* place(Dice& dice, size_t size);

    /// `size` bytes in it that are all there and aligned.
    void* good_place(Dice& dice, size_t size);

    /// Where it ends; nothing is mapped there.
    char* end() const;

    /// An address that is not in it: null, low, odd, freed, read-only, code or the kernel's.
    void* bad_place(Dice& dice) const;

private:
    char* m_start;
    char* m_read_only;
    char* m_freed;
};

} // namespace stress
