// Memory of the program: it may not be there, or go while a request pends.
#pragma once

#include <cstddef>

namespace ke {

/// Copies from / to memory of the program. False: some of it is not there, and what was copied is
/// undefined. Natively everything is there: a bad pointer is the test's own mistake.
bool read_user(void* to, const void* from, size_t bytes);
bool write_user(void* to, const void* from, size_t bytes);

/// Writes `detail` and then, with release order, the word that others poll for. Both are aligned.
bool publish_user(size_t* detail_to, size_t detail, int* word_to, int word);
bool publish_user_32(unsigned* detail_to, unsigned detail, int* word_to, int word);

/// Writes one byte of each page to itself, so that Linux can write there what it receives: Wine
/// keeps pages read-only whose writes are watched. False: they cannot be written.
bool touch_user(void* memory, size_t bytes);

template <typename T> bool write_user_value(T* to, const T& value)
{
    return write_user(to, &value, sizeof(value));
}

} // namespace ke
