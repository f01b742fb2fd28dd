/*
 * A disk that fails, for a program that is started with this preloaded: calls of the kind FAIL_CALL (read, write, sync,
 * rename) on paths that contain FAIL_PATH, or end with what stands before a $ at its end, end with the errno FAIL_ERRNO.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static bool fails_at(const char *call, const char *path)
{
	const char *failing = getenv("FAIL_CALL"), *part = getenv("FAIL_PATH");

	if (!failing || !part || strcmp(failing, call) != 0)
		return false;
	size_t length = strlen(part), all = strlen(path);
	bool whole = length > 0 && part[length - 1] == '$';
	if (whole ? all < length - 1 || strncmp(path + all - (length - 1), part, length - 1) != 0 :
		    !strstr(path, part))
		return false;
	errno = atoi(getenv("FAIL_ERRNO"));
	return true;
}

static bool fails(const char *call, int fd)
{
	char link[64], path[PATH_MAX];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n < 0)
		return false;
	path[n] = 0;
	return fails_at(call, path);
}

#define FAILING(type, name, call, parameters, arguments)      \
	type name parameters                                  \
	{                                                     \
		static type(*real) parameters;                \
		if (!real)                                    \
			real = dlsym(RTLD_NEXT, #name);       \
		return fails(call, fd) ? -1 : real arguments; \
	}

FAILING(ssize_t, read, "read", (int fd, void *to, size_t size), (fd, to, size))
FAILING(ssize_t, pread, "read", (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
FAILING(ssize_t, pread64, "read", (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
FAILING(ssize_t, readv, "read", (int fd, const struct iovec *to, int count), (fd, to, count))
FAILING(ssize_t, preadv, "read", (int fd, const struct iovec *to, int count, off_t at),
	(fd, to, count, at))
FAILING(ssize_t, preadv64, "read", (int fd, const struct iovec *to, int count, off_t at),
	(fd, to, count, at))
FAILING(ssize_t, write, "write", (int fd, const void *from, size_t size), (fd, from, size))
FAILING(ssize_t, pwrite, "write", (int fd, const void *from, size_t size, off_t at),
	(fd, from, size, at))
FAILING(ssize_t, pwrite64, "write", (int fd, const void *from, size_t size, off_t at),
	(fd, from, size, at))
FAILING(ssize_t, writev, "write", (int fd, const struct iovec *from, int count), (fd, from, count))
FAILING(ssize_t, pwritev, "write", (int fd, const struct iovec *from, int count, off_t at),
	(fd, from, count, at))
FAILING(ssize_t, pwritev64, "write", (int fd, const struct iovec *from, int count, off_t at),
	(fd, from, count, at))
FAILING(int, fsync, "sync", (int fd), (fd))
FAILING(int, fdatasync, "sync", (int fd), (fd))

int rename(const char *from, const char *to)
{
	static int (*real)(const char *, const char *);

	if (!real)
		real = dlsym(RTLD_NEXT, "rename");
	return fails_at("rename", to) ? -1 : real(from, to);
}
