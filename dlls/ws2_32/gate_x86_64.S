/* The gates (gate.h). A call that is looked at has a frame here: room for the arguments of the function
 * (kArguments), then the GateCall. */
#define kArguments 128
#define kCall 80
#define kFrame (kArguments + kCall)

    .set index, 0
    .macro gate function
    .globl gate_\function
    .def    gate_\function; .scl 2; .type 32; .endef
gate_\function:
    cmpl    $0, ws2_gate(%rip)
    jne     1f
    jmp     \function
1:  movl    $index, %eax
    jmp     gated_call
    .section .rdata
    .quad   \function
    .text
    .set index, index + 1
    .endm

    .section .rdata
    .balign 8
    .globl  ws2_gate_functions
ws2_gate_functions:
    .text
#define CALL(function, count, bytes, name) gate function
#include "calls.h"

    .globl  ws2_gate_return
    .seh_proc gated_call
gated_call:
    pushq   %rbp
    .seh_pushreg %rbp
    subq    $kFrame, %rsp
    .seh_stackalloc kFrame
    .seh_endprologue
    leaq    kFrame+16(%rsp), %r10
    movq    %rcx, (%r10)
    movq    %rdx, 8(%r10)
    movq    %r8, 16(%r10)
    movq    %r9, 24(%r10)
    leaq    kArguments(%rsp), %rbp
    movq    %r10, (%rbp)
    movq    kFrame+8(%rsp), %rcx
    movq    %rcx, 8(%rbp)
    movq    %rsp, 24(%rbp)
    movl    %eax, 32(%rbp)
    movq    %rbp, %rcx
    call    ws2_gate_enter
    testq   %rax, %rax
    jz      .Lleave
    movq    (%rbp), %r10
    movq    (%r10), %rcx
    movq    8(%r10), %rdx
    movq    16(%r10), %r8
    movq    24(%r10), %r9
    call    *%rax
ws2_gate_return:
    movq    %rax, 16(%rbp)
.Lleave:
    movq    %rbp, %rcx
    call    ws2_gate_leave
    movq    16(%rbp), %rax
    addq    $kFrame, %rsp
    popq    %rbp
    ret
    .seh_endproc
