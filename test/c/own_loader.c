/*
 * The parts of the loader stub that read files, in a program with a libc and sanitizers.
 *
 *   own-loader FOLDER FILE OFFSET MASK [OFFSET MASK]...   changes bytes of an ELF file, one after the other,
 *                                                         each alone, and asks for both each time
 *   own-loader FOLDER FILE cut                            the same of the file cut at every 64th byte
 *
 * The copy that is asked, in FOLDER, is both the dynamic linker and the libc beside it. Prints how
 * often it defined GLIBC_2.2.6, and how often it could be mapped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stubs/loader.h"

/* What the builder fills in; no part of what is tried reads it. */
const struct own_loader own_loader;

static unsigned defined, mapped, asked;

static void check(int failed, const char *what)
{
	if (!failed)
		return;
	perror(what);
	exit(2);
}

/* In a folder of its own, as libc.so.6 and as the dynamic linker beside it. */
static void ask(const char *folder, const unsigned char *bytes, size_t size)
{
	enum { DEFINED = 1, MAPPED = 2 };
	char file[512];
	int result;

	snprintf(file, sizeof file, "%s/libc.so.6", folder);
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(fd < 0 || write(fd, bytes, size) != (ssize_t)size, file);
	/* In a process of its own: what was mapped goes with it. */
	pid_t child = fork();
	check(child < 0, "fork");
	if (child == 0) {
		struct mapped loader;
		int found = host_libc_defines(fd, file, "GLIBC_2.2.5:GLIBC_2.2.6") ? DEFINED : 0;
		if (map_loader(fd, 4096, &loader) == 0)
			found |= MAPPED;
		_exit(found);
	}
	check(waitpid(child, &result, 0) != child, "waitpid");
	close(fd);
	if (!WIFEXITED(result) || WEXITSTATUS(result) > (DEFINED | MAPPED)) {
		fprintf(stderr, "question %u ended with status %x\n", asked, (unsigned)result);
		exit(3);
	}
	asked++;
	defined += (WEXITSTATUS(result) & DEFINED) != 0;
	mapped += (WEXITSTATUS(result) & MAPPED) != 0;
}

int main(int argc, char **argv)
{
	struct stat status;

	if (argc < 4)
		return 2;
	const char *folder = argv[1];
	argv++;
	argc--;
	int fd = open(argv[1], O_RDONLY);
	check(fd < 0 || fstat(fd, &status) < 0, argv[1]);
	size_t size = (size_t)status.st_size;
	unsigned char *bytes = malloc(size);
	check(!bytes || read(fd, bytes, size) != (ssize_t)size, argv[1]);
	close(fd);
	ask(folder, bytes, size);
	if (!strcmp(argv[2], "cut")) {
		for (size_t end = 0; end < 4096 && end < size; end += 64)
			ask(folder, bytes, end);
	} else {
		for (int i = 2; i + 1 < argc; i += 2) {
			size_t at = strtoul(argv[i], NULL, 10);
			unsigned char mask = (unsigned char)strtoul(argv[i + 1], NULL, 10);
			bytes[at % size] ^= mask;
			ask(folder, bytes, size);
			bytes[at % size] ^= mask;
		}
	}
	free(bytes);
	printf("%u asked, %u defined, %u mapped\n", asked, defined, mapped);
	return 0;
}
