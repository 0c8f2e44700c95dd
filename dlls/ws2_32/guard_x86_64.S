/* int ws2_guarded_copy(void *target, const void *source, size_t size)
 *
 * The frame's exception handler (ws2_guard_handler, guard.cpp) sends a fault of the copy to
 * ws2_guard_fault, which has the same stack as the instruction that faulted. */
    .text
    .globl  ws2_guarded_copy
    .globl  ws2_guard_fault
    .def    ws2_guarded_copy; .scl 2; .type 32; .endef
    .seh_proc ws2_guarded_copy
ws2_guarded_copy:
    pushq   %rdi
    .seh_pushreg %rdi
    pushq   %rsi
    .seh_pushreg %rsi
    subq    $8, %rsp
    .seh_stackalloc 8
    .seh_endprologue
    .seh_handler ws2_guard_handler, @except
    movq    %rcx, %rdi
    movq    %rdx, %rsi
    movq    %r8, %rcx
    rep movsb
    movl    $1, %eax
.Lreturn:
    addq    $8, %rsp
    popq    %rsi
    popq    %rdi
    ret
ws2_guard_fault:
    xorl    %eax, %eax
    jmp     .Lreturn
    .seh_endproc
