/* The kernel's calls by what they do. A result between -4095 and -1 is an error's number, negated. */
#ifndef STUBS_SYSTEM_H
#define STUBS_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

#include "stubs/machine.h"

#define PATH_BYTES 4096 /* of the longest path, its NUL included */

/* A relative name starts at the working folder. */
#define AT_WORKING_FOLDER ((word)-100)
#define READ_ONLY_CLOEXEC 02000000

/* Numbers of errors, as every machine of Linux has them. */
enum {
	NO_PERMISSION = 1, /* EPERM */
	NO_FILE = 2, /* ENOENT */
	INPUT_OUTPUT = 5, /* EIO */
	NOT_EXECUTABLE = 8, /* ENOEXEC */
	TRY_AGAIN = 11, /* EAGAIN */
	NO_MEMORY = 12, /* ENOMEM */
	NO_ACCESS = 13, /* EACCES */
	NO_FOLDER = 20, /* ENOTDIR */
	TABLE_FULL = 23, /* ENFILE */
	TOO_MANY_FILES = 24, /* EMFILE */
	NAME_TOO_LONG = 36, /* ENAMETOOLONG */
};

enum {
	MAP_PRIVATE_ = 2,
	MAP_FIXED_ = 16,
	MAP_ANONYMOUS_ = 32
};
enum {
	PROT_READ_ = 1,
	PROT_WRITE_ = 2,
	PROT_EXEC_ = 4
};

static inline bool failed(word result)
{
	return result > (word)-4096;
}

/* A descriptor, or the number of an error, negated. */
static inline int open_file(const char *path)
{
	return (int)kernel(CALL_OPENAT, AT_WORKING_FOLDER, (word)path, READ_ONLY_CLOEXEC, 0, 0, 0);
}

static inline void close_file(int fd)
{
	kernel(CALL_CLOSE, (word)fd, 0, 0, 0, 0, 0);
}

/* Bytes that were read, or what `failed` recognises. */
static inline word read_at(int fd, void *buffer, size_t size, word offset)
{
	return kernel(CALL_PREAD, (word)fd, (word)buffer, size, offset, 0, 0);
}

static inline bool file_exists(const char *path)
{
	return kernel(CALL_FACCESSAT, AT_WORKING_FOLDER, (word)path, 0, 0, 0, 0) == 0;
}

/* Length of what a symbolic link holds; it is cut at `size` and has no NUL. */
static inline word read_link(const char *path, char *target, size_t size)
{
	return kernel(CALL_READLINKAT, AT_WORKING_FOLDER, (word)path, (word)target, size, 0, 0);
}

static inline word working_folder(char *path, size_t size)
{
	return kernel(CALL_GETCWD, (word)path, size, 0, 0, 0, 0);
}

static inline word map(word address, word size, word protection, word flags, int fd, word offset)
{
	return kernel(CALL_MMAP, address, size, protection, flags, (word)fd, offset);
}

#endif
