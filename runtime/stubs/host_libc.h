/*
 * Whether the libc of the host is new enough for a program. The loader stub asks at each start, the
 * runtime when it is to explain what a start would do; there is no libc in any of it.
 */
#ifndef STUBS_HOST_LIBC_H
#define STUBS_HOST_LIBC_H

#include "stubs/system.h"

/*
 * Whether the libc of the host, beside its dynamic linker that is open as `loader` and whose path is
 * `name`, defines all versions: names between colons. It is the same test that the dynamic linker makes.
 */
bool host_libc_defines(int loader, const char *name, const char *versions);

/* Follows what is a symbolic link in the last component of an absolute path. */
bool follow_links(char path[static PATH_BYTES]);

/* The ELF header and program headers of a shared object. */
struct elf_head {
	Elf64_Ehdr header;
	char rest[2048 - sizeof(Elf64_Ehdr)];
};

/* Returns its program headers, or NULL: none of this machine. */
const Elf64_Phdr *read_head(int fd, struct elf_head *head);

#endif
