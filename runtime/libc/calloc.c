/*
 * calloc in place of the libc's, which is written in Zig. That one multiplies, keeps the processor's
 * overflow flag in its stack frame and branches by the flag. Where this store is the first one in a page
 * of the stack, it faults between the two, and emulators are known that bring the flag back wrong: QEMU 7.2
 * (Debian 12) without KVM had one of 256 starts fail for want of memory, for that is how the start of a
 * stack is chosen. It also writes its zeros one by one.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc says it */
#endif
#endif
#ifndef __SANITIZE_ADDRESS__ /* which has its own */

/* By a pointer: the compiler knows a shorter way to memory that is zero, this function. */
static void *(*const volatile fill)(void *, int, size_t) = memset;

void *calloc(size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	void *memory = malloc(count * size);
	if (memory)
		fill(memory, 0, count * size);
	return memory;
}

#endif
