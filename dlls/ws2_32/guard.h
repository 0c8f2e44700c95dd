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
template <typename T> bool read(const T* pointer, T& value)
{
    return ws2_guarded_copy(&value, pointer, sizeof(T));
}

/// Writes a T of the application. False: the pointer is bad.
template <typename T> bool write(T* pointer, const T& value)
{
    return ws2_guarded_copy(pointer, &value, sizeof(T));
}

/// Copies bytes to or from the application.
inline bool copy(void* target, const void* source, size_t size)
{
    return ws2_guarded_copy(target, source, size);
}

/// Can the byte at `pointer` be written? Rewrites it with itself.
inline bool is_writable(void* pointer)
{
    char byte;
    return copy(&byte, pointer, 1) && copy(pointer, &byte, 1);
}

/// Can `size` bytes at `pointer` be written? Looks at the first and the last one.
inline bool is_writable(void* pointer, size_t size)
{
    return !size || (is_writable(pointer) && is_writable(static_cast<char*>(pointer) + size - 1));
}

/// The same for every page of it, so that memory whose writes somebody watches is told of a write,
/// and can be written by a kernel that could not do so by itself.
bool touch(void* pointer, size_t size);

} // namespace ws2::guard
