/*
 * What a program may do to a mounted tree that the usual commands do not:
 *
 *   handle take PATH            prints a file handle (name_to_handle_at) as hexadecimal digits
 *   handle open MOUNT HANDLE    opens it (open_by_handle_at) and prints where and what it is
 *   handle seek DIR             lists DIR from any numbers (lseek), then from its start, and prints
 *                               names that only the former gave
 *
 * Prints the error where a call is refused.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANDLE_MAX 128
#define NAMES_MAX 100000

union handle {
	struct file_handle header;
	unsigned char bytes[sizeof(struct file_handle) + HANDLE_MAX];
};

static int refused(void)
{
	printf("%s\n", strerror(errno));
	return 0;
}

static int take(const char *path)
{
	union handle handle = { .header.handle_bytes = HANDLE_MAX };
	int mount;

	if (name_to_handle_at(AT_FDCWD, path, &handle.header, &mount, 0) < 0)
		return refused();
	for (size_t i = 0; i < sizeof handle.header + handle.header.handle_bytes; i++)
		printf("%02x", handle.bytes[i]);
	printf("\n");
	return 0;
}

static int open_handle(const char *mount, const char *digits)
{
	union handle handle = { 0 };
	char link[64], where[PATH_MAX] = "";
	struct stat st, parent;
	int top = open(mount, O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; digits[2 * i] && digits[2 * i + 1] && i < sizeof handle.bytes; i++) {
		char byte[] = { digits[2 * i], digits[2 * i + 1], 0 };
		handle.bytes[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	int fd = top < 0 ? -1 : open_by_handle_at(top, &handle.header, O_PATH);
	if (fd < 0)
		return refused();
	if (fstat(fd, &st) < 0)
		return refused();
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (readlink(link, where, sizeof where - 1) < 0)
		return refused();
	printf("inode %llu, mode %o", (unsigned long long)st.st_ino, (unsigned)st.st_mode);
	/* Only a directory is put back to where it was; ".." leads on from it. */
	if (S_ISDIR(st.st_mode) && fstatat(fd, "..", &parent, 0) == 0)
		printf(", at %s, parent %llu", where, (unsigned long long)parent.st_ino);
	printf("\n");
	return 0;
}

static char *names[NAMES_MAX];
static size_t name_count;

static int is_known(const char *name)
{
	for (size_t i = 0; i < name_count; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return 0;
}

/* What one call gives from where the descriptor stands; returns 0 at the end. */
static long take_names(int fd)
{
	_Alignas(8) char buffer[4096];
	long n = syscall(SYS_getdents64, fd, buffer, sizeof buffer);

	for (long at = 0; at < n;) {
		struct dirent64 *entry = (struct dirent64 *)(buffer + at);
		if (name_count < NAMES_MAX && !is_known(entry->d_name))
			names[name_count++] = strdup(entry->d_name);
		at += entry->d_reclen;
	}
	return n;
}

static int seek(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	size_t made_up = 0, seen;

	if (fd < 0)
		return refused();
	for (off_t at = 3; at < 1 << 22; at += at / 97 + 1)
		if (lseek(fd, at, SEEK_SET) == at)
			take_names(fd);
	seen = name_count;
	char **before = calloc(seen + 1, sizeof *before);
	memcpy(before, names, seen * sizeof *names);
	name_count = 0;
	lseek(fd, 0, SEEK_SET);
	while (take_names(fd) > 0)
		;
	for (size_t i = 0; i < seen; i++)
		made_up += !is_known(before[i]);
	printf("%zu names, %zu made up\n", name_count, made_up);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "take") == 0)
		return take(argv[2]);
	if (argc == 4 && strcmp(argv[1], "open") == 0)
		return open_handle(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "seek") == 0)
		return seek(argv[2]);
	return 2;
}
