#include "unix/convention.h"

#ifdef __i386__

/// Returns how many bytes the function has taken off the stack. The stack is put right again,
/// whatever it was.
extern "C" __attribute__((visibility("hidden"))) uint32_t ntke_call_and_measure(
    void* function, const uintptr_t* arguments, NTSTATUS* result);
asm(R"(
    .text
    .hidden ntke_call_and_measure
    .globl ntke_call_and_measure
    .type ntke_call_and_measure, @function
ntke_call_and_measure:
    pushl %ebp
    movl %esp, %ebp
    pushl %esi
    movl 12(%ebp), %eax
    andl $-16, %esp
    pushl 12(%eax)
    pushl 8(%eax)
    pushl 4(%eax)
    pushl (%eax)
    movl %esp, %esi
    call *8(%ebp)
    movl 16(%ebp), %edx
    movl %eax, (%edx)
    movl %esp, %eax
    subl %esi, %eax
    leal -4(%ebp), %esp
    popl %esi
    popl %ebp
    ret
    .size ntke_call_and_measure, . - ntke_call_and_measure
)");

namespace host {

Convention call_and_see(void* function, const uintptr_t* arguments, NTSTATUS& result)
{
    return ntke_call_and_measure(function, arguments, &result) ? Convention::Windows
                                                               : Convention::Linux;
}

} // namespace host

#endif
