/*
 * Starts an AppImage as AppImageLauncher does, and so serves as a binfmt_misc interpreter for them:
 * launcher FILE ARG... copies the bytes before the image into memory, takes the magic away (the
 * rule would match again) and executes the copy with TARGET_APPIMAGE=FILE.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	Elf64_Ehdr header;
	int file = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	int memory = memfd_create("runtime", MFD_CLOEXEC);

	if (file < 0 || memory < 0 || read(file, &header, sizeof header) != sizeof header) {
		perror(argc > 1 ? argv[1] : "launcher FILE ARG...");
		return 1;
	}
	size_t size = header.e_shoff + (size_t)header.e_shentsize * header.e_shnum;
	char *bytes = malloc(size);
	if (!bytes || pread(file, bytes, size, 0) != (ssize_t)size)
		return 1;
	memset(bytes + 8, 0, 3);
	if (write(memory, bytes, size) != (ssize_t)size || setenv("TARGET_APPIMAGE", argv[1], 1))
		return 1;
	fexecve(memory, argv + 1, environ);
	perror("fexecve");
	return 1;
}
