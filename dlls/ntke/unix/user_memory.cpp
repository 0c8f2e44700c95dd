// The form for Wine. A fault in Linux code ends the service for its caller, at once: locks stay
// locked and counts counted. Wine's ntdll.so lets a thread name a place to come back to instead,
// for a moment in which it calls nothing of the host.
#include "ke/user_memory.h"

#include <csetjmp>
#include <cstring>

#include <pthread.h>

#include "unix/host_services.h"

namespace ke {

namespace {

constexpr size_t kPage = 4096;

// Room for either kind of buffer.
struct alignas(64) JumpBuffer {
    char bytes[512];
};
static_assert(sizeof(jmp_buf) <= sizeof(JumpBuffer));

using SetJumpBuffer = void (*)(void* buffer); // null: none. Linux' convention in all versions
#ifdef __i386__
using SetJumpOfWine = int (*)(void* buffer, void* frame);
#else
using SetJumpOfWine = WINDOWS_CONVENTION int (*)(void* buffer, void* frame);
#endif

SetJumpBuffer g_set_jump_buffer = nullptr;
SetJumpOfWine g_set_jump_of_wine = nullptr; // where the host has a jump of its own
pthread_once_t g_once = PTHREAD_ONCE_INIT;

void find_functions()
{
    g_set_jump_buffer
        = reinterpret_cast<SetJumpBuffer>(host::find_function("ntdll_set_exception_jmp_buf"));
    if (host::g_convention == host::Convention::Windows)
        g_set_jump_of_wine
            = reinterpret_cast<SetJumpOfWine>(host::find_function("__wine_setjmpex"));
}

// A jump comes back to where the buffer was filled, so that must happen in this frame, in a
// function that the compiler knows to return twice.
#define RETURNS_AFTER_FAULT(buffer)                                                                \
    (g_set_jump_of_wine ? set_jump_of_wine(buffer)                                                 \
                        : _setjmp(*reinterpret_cast<jmp_buf*>((buffer).bytes)))

__attribute__((returns_twice, always_inline)) inline int set_jump_of_wine(JumpBuffer& buffer)
{
    return g_set_jump_of_wine(buffer.bytes, nullptr);
}

/// Runs `access(context)`, which touches the program's memory and nothing else.
__attribute__((noinline)) bool guard(void (*access)(void* context), void* context)
{
    pthread_once(&g_once, find_functions);
    if (!g_set_jump_buffer) {
        access(context); // a fault ends the caller's service
        return true;
    }
    JumpBuffer buffer;
    if (RETURNS_AFTER_FAULT(buffer)) {
        g_set_jump_buffer(nullptr);
        return false;
    }
    g_set_jump_buffer(buffer.bytes);
    access(context);
    g_set_jump_buffer(nullptr);
    return true;
}

struct Copy {
    void* to;
    const void* from;
    size_t bytes;
};

bool copy(void* to, const void* from, size_t bytes)
{
    Copy work { to, from, bytes };
    return guard(
        [](void* context) {
            const Copy& work = *static_cast<Copy*>(context);
            memcpy(work.to, work.from, work.bytes);
        },
        &work);
}

template <typename Detail> bool publish(Detail* detail_to, Detail detail, int* word_to, int word)
{
    struct Result {
        Detail* detail_to;
        Detail detail;
        int* word_to;
        int word;
    } result { detail_to, detail, word_to, word };
    return guard(
        [](void* context) {
            const Result& result = *static_cast<Result*>(context);
            *result.detail_to = result.detail;
            __atomic_store_n(result.word_to, result.word, __ATOMIC_RELEASE);
        },
        &result);
}

} // namespace

bool read_user(void* to, const void* from, size_t bytes)
{
    return copy(to, from, bytes);
}

bool write_user(void* to, const void* from, size_t bytes)
{
    return copy(to, from, bytes);
}

bool publish_user(size_t* detail_to, size_t detail, int* word_to, int word)
{
    return publish(detail_to, detail, word_to, word);
}

bool publish_user_32(unsigned* detail_to, unsigned detail, int* word_to, int word)
{
    return publish(detail_to, detail, word_to, word);
}

bool touch_user(void* memory, size_t bytes)
{
    Copy work { memory, nullptr, bytes };
    return guard(
        [](void* context) {
            const Copy& work = *static_cast<Copy*>(context);
            auto* first = static_cast<volatile char*>(work.to);
            for (size_t i = 0; i < work.bytes; i += kPage)
                first[i] = first[i];
            if (work.bytes)
                first[work.bytes - 1] = first[work.bytes - 1];
        },
        &work);
}

} // namespace ke
