// Reads and writes through pointers an application gave, which may point anywhere.
//
// Windows answers a bad pointer with WSAEFAULT where the provider or the kernel copies the block.
// These copies do the same: a fault inside them is a `false`, never an exception of the program.
#pragma once

#include <cstddef>

extern "C" {
/// Copies `size` bytes; returns 0 when either side faulted on the way (a part may be copied).
/// Written in assembly (guard_x86_64.S, guard_i386.S): its exception handler needs the exact frame.
int ws2_guarded_copy(void* target, const void* source, size_t size);
}

namespace ws2::guard {

/// Reads a T of the application. False: the pointer is bad, `value` is undefined.
template <typename T>
bool read(const T* pointer, T& value)
{
    return ws2_guarded_copy(&value, pointer, sizeof(T));
}

/// Writes a T of the application. False: the pointer is bad.
template <typename T>
bool write(T* pointer, const T& value)
{
    return ws2_guarded_copy(pointer, &value, sizeof(T));
}

/// Copies bytes to or from the application.
inline bool copy(void* target, const void* source, size_t size)
{
    return ws2_guarded_copy(target, source, size);
}

/// Can `size` bytes at `pointer` be written? Rewrites the first and last byte with themselves.
inline bool is_writable(void* pointer, size_t size)
{
    char byte;
    if (!size)
        return true;
    char* const last = static_cast<char*>(pointer) + size - 1;
    return copy(&byte, pointer, 1) && copy(pointer, &byte, 1) && copy(&byte, last, 1)
        && copy(last, &byte, 1);
}

} // namespace ws2::guard
