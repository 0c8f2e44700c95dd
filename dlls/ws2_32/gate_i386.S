/* The gates (gate.h). A call that is looked at has a frame here: the GateCall; below it the arguments of
 * the function, which takes them off the stack. */
#define kCall 48

    .set index, 0
    .macro gate function, bytes
    .globl _gate_\function\()@\bytes
    .def    _gate_\function\()@\bytes; .scl 2; .type 32; .endef
_gate_\function\()@\bytes:
    cmpl    $0, _ws2_gate
    jne     1f
    jmp     _\function\()@\bytes
1:  movl    $index, %eax
    jmp     gated_call
    .section .rdata
    .long   _\function\()@\bytes
    .text
    .set index, index + 1
    .endm

    .section .rdata
    .balign 4
    .globl  _ws2_gate_functions
_ws2_gate_functions:
    .text
#define CALL(function, count, bytes, name) gate function, bytes
#include "calls.h"

    .globl  _ws2_gate_return
gated_call:
    pushl   %ebp
    movl    %esp, %ebp
    pushl   %ebx
    subl    $kCall, %esp
    movl    %esp, %ebx
    leal    8(%ebp), %ecx
    movl    %ecx, (%ebx)
    movl    4(%ebp), %ecx
    movl    %ecx, 4(%ebx)
    movl    %eax, 16(%ebx)
    pushl   %ebx
    call    _ws2_gate_enter
    popl    %ecx
    testl   %eax, %eax
    jz      .Lleave
    movl    20(%ebx), %ecx
.Largument:
    jecxz   .Lcall
    pushl   4(%ebp, %ecx, 4)
    decl    %ecx
    jmp     .Largument
.Lcall:
    call    *%eax
_ws2_gate_return:
    movl    %eax, 8(%ebx)
.Lleave:
    pushl   %ebx
    call    _ws2_gate_leave
    popl    %ecx
    movl    8(%ebx), %eax
    movl    20(%ebx), %ecx
    movl    -4(%ebp), %ebx
    leave
    popl    %edx
    leal    (%esp, %ecx, 4), %esp
    jmp     *%edx
