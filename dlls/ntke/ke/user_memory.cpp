// The native form: the program is this process.
#include "ke/user_memory.h"

#include <cstring>

namespace ke {

bool read_user(void* to, const void* from, size_t bytes)
{
    memcpy(to, from, bytes);
    return true;
}

bool write_user(void* to, const void* from, size_t bytes)
{
    memcpy(to, from, bytes);
    return true;
}

bool publish_user(size_t* detail_to, size_t detail, int* word_to, int word)
{
    *detail_to = detail;
    __atomic_store_n(word_to, word, __ATOMIC_RELEASE);
    return true;
}

bool publish_user_32(unsigned* detail_to, unsigned detail, int* word_to, int word)
{
    *detail_to = detail;
    __atomic_store_n(word_to, word, __ATOMIC_RELEASE);
    return true;
}

bool touch_user(void*, size_t)
{
    return true;
}

} // namespace ke
