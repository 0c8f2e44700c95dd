/* int ws2_guarded_copy(void *target, const void *source, size_t size), cdecl
 *
 * Puts its exception registration on the stack; the handler (ws2_guard_handler, guard.cpp) sends a
 * fault of the copy to ws2_guard_fault, which has the same stack as the instruction that faulted. */
    .text
    .globl  _ws2_guarded_copy
    .globl  _ws2_guard_fault
    .def    _ws2_guarded_copy; .scl 2; .type 32; .endef
_ws2_guarded_copy:
    pushl   %edi
    pushl   %esi
    pushl   $_ws2_guard_handler
    pushl   %fs:0
    movl    %esp, %fs:0
    movl    20(%esp), %edi
    movl    24(%esp), %esi
    movl    28(%esp), %ecx
    rep movsb
    movl    $1, %eax
.Lreturn:
    popl    %fs:0
    addl    $4, %esp
    popl    %esi
    popl    %edi
    ret
_ws2_guard_fault:
    xorl    %eax, %eax
    jmp     .Lreturn
