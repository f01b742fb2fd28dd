/* Opening a path that may not lead out of a directory, openat2(2). */
#ifndef KERNEL_OPEN_WITHIN_H
#define KERNEL_OPEN_WITHIN_H

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_WITHIN_TRIES 1000

/*
 * Returns a descriptor, or -1 and errno. Where a path or a link has "..", the kernel gives up with EAGAIN when anything
 * was mounted or renamed meanwhile, anywhere on the machine, because it cannot be sure then. It has to be asked again.
 */
static inline int open_within(int root, const char *path, struct open_how how)
{
	for (int tries = 1;; tries++) {
		int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN || tries == OPEN_WITHIN_TRIES)
			return fd;
	}
}

#endif
