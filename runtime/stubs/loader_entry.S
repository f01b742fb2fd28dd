/*
 * The first bytes of the loader stub, and the three ways into it.
 *
 * The description at the front (generated/own_loader.h) says where the ways in are, and the builder fills
 * in the rest. None of the ways is a call: the kernel enters with a stack pointer and nothing else, and
 * the dynamic linker jumps to what it takes for the program.
 *
 * Each way in starts with a landing pad, where the machine has them: the kernel and dynamic linkers may
 * forbid indirect jumps to anything else (CET, BTI).
 */
#include "generated/own_loader.h"

	.section .head, "a", %progbits
	.balign 16
	.globl own_loader
	.hidden own_loader
own_loader:
	.ascii OWN_LOADER_MAGIC
	.long OWN_LOADER_VERSION
	.long stub_end - own_loader
	.long stub_start - own_loader
	.long stub_at_entry - own_loader
	.long stub_at_preinit - own_loader
	.long stub_end - own_loader
	.zero OWN_LOADER_BYTES - 32

	.section .start, "ax", %progbits
	.balign 16
	.globl stub_start, stub_at_entry, stub_at_preinit
	.hidden stub_start, stub_at_entry, stub_at_preinit

#if defined(__x86_64__)

stub_start:
	endbr64
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call loader_main
	hlt

/* rdx is what the dynamic linker wants called at exit; two words keep the stack aligned. */
stub_at_entry:
	endbr64
	push %rdx
	push %rdx
	lea 16(%rsp), %rdi
	call loader_undo
	pop %rdx
	pop %rdx
	jmp *%rax

/* (argc, argv, envp): argc stands before argv. */
stub_at_preinit:
	endbr64
	lea -8(%rsi), %rdi
	jmp loader_preinit

#elif defined(__aarch64__)

/* hint #38 is `bti jc`, which older assemblers do not know. */
stub_start:
	hint #38
	mov x29, #0
	mov x30, #0
	mov x0, sp
	bl loader_main
	brk #0

stub_at_entry:
	hint #38
	stp x0, x30, [sp, #-16]!
	add x0, sp, #16
	bl loader_undo
	mov x16, x0
	ldp x0, x30, [sp], #16
	br x16

stub_at_preinit:
	hint #38
	sub x0, x1, #8
	b loader_preinit

#elif defined(__riscv)

stub_start:
	li s0, 0
	li ra, 0
	mv a0, sp
	call loader_main
	ebreak

stub_at_entry:
	addi sp, sp, -16
	sd a0, 0(sp)
	addi a0, sp, 16
	call loader_undo
	mv t1, a0
	ld a0, 0(sp)
	addi sp, sp, 16
	jr t1

stub_at_preinit:
	addi a0, a1, -8
	tail loader_preinit

#endif

	.section .note.GNU-stack, "", %progbits
