/*
 * open in place of the libc's, which after O_CLOEXEC asks for the same once more, for kernels before 2.6.23: a
 * system call for each file of a start.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libc/checked.h"

#ifndef CHECKED /* whose library follows each descriptor */

int open(const char *path, int flags, ...)
{
	unsigned mode = 0;

	if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) {
		va_list arguments;
		va_start(arguments, flags);
		mode = va_arg(arguments, unsigned);
		va_end(arguments);
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

#endif
