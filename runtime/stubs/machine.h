/*
 * What differs between machines: the kernel's calls, and how control is handed to another program.
 *
 * The stubs have no libc, and none of their calls is one that a dynamic linker does not make too, so
 * that a filter of system calls for dynamic programs lets them pass.
 */
#ifndef STUBS_MACHINE_H
#define STUBS_MACHINE_H

#include <elf.h>
#include <stdint.h>

/* As wide as a register and as an address. */
typedef unsigned long word;

#if defined(__x86_64__)

#define MACHINE EM_X86_64
enum {
	CALL_WRITE = 1,
	CALL_CLOSE = 3,
	CALL_MMAP = 9,
	CALL_PREAD = 17,
	CALL_GETCWD = 79,
	CALL_EXIT_GROUP = 231,
	CALL_OPENAT = 257,
	CALL_READLINKAT = 267,
	CALL_FACCESSAT = 269,
};

static inline word kernel(word number, word a, word b, word c, word d, word e, word f)
{
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = e;
	register word r9 __asm__("r9") = f;
	word result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* Starts a dynamic linker as the kernel would: its stack, and no function to call at exit. */
static inline _Noreturn void jump(const void *stack, word address)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "xor %%edx, %%edx\n\t"
			 "jmp *%1"
			 :
			 : "r"(stack), "a"(address)
			 : "memory");
	__builtin_unreachable();
}

#else

/* The numbers that all machines have that came later. */
enum {
	CALL_GETCWD = 17,
	CALL_FACCESSAT = 48,
	CALL_OPENAT = 56,
	CALL_CLOSE = 57,
	CALL_WRITE = 64,
	CALL_PREAD = 67,
	CALL_READLINKAT = 78,
	CALL_EXIT_GROUP = 94,
	CALL_MMAP = 222,
};

#if defined(__aarch64__)

#define MACHINE EM_AARCH64

static inline word kernel(word number, word a, word b, word c, word d, word e, word f)
{
	register word x8 __asm__("x8") = number;
	register word x0 __asm__("x0") = a;
	register word x1 __asm__("x1") = b;
	register word x2 __asm__("x2") = c;
	register word x3 __asm__("x3") = d;
	register word x4 __asm__("x4") = e;
	register word x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

static inline _Noreturn void jump(const void *stack, word address)
{
	register word target __asm__("x16") = address;

	__asm__ volatile("mov sp, %0\n\t"
			 "mov x0, #0\n\t"
			 "mov x29, #0\n\t"
			 "mov x30, #0\n\t"
			 "br x16"
			 :
			 : "r"(stack), "r"(target)
			 : "memory");
	__builtin_unreachable();
}

#elif defined(__riscv) && __riscv_xlen == 64

#define MACHINE EM_RISCV

static inline word kernel(word number, word a, word b, word c, word d, word e, word f)
{
	register word a7 __asm__("a7") = number;
	register word a0 __asm__("a0") = a;
	register word a1 __asm__("a1") = b;
	register word a2 __asm__("a2") = c;
	register word a3 __asm__("a3") = d;
	register word a4 __asm__("a4") = e;
	register word a5 __asm__("a5") = f;

	__asm__ volatile("ecall"
			 : "+r"(a0)
			 : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
			 : "memory");
	return a0;
}

static inline _Noreturn void jump(const void *stack, word address)
{
	register word target __asm__("t1") = address;

	__asm__ volatile("mv sp, %0\n\t"
			 "li a0, 0\n\t"
			 "li ra, 0\n\t"
			 "jr t1"
			 :
			 : "r"(stack), "r"(target)
			 : "memory");
	__builtin_unreachable();
}

#else
#error "the stubs do not know this machine"
#endif
#endif

#endif
