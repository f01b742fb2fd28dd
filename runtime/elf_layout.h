/* Where an ELF file ends, which is where its squashfs image starts, and its manifest section. */
#ifndef ELF_LAYOUT_H
#define ELF_LAYOUT_H

#include <stdint.h>

#include "base/fail.h"

struct elf_layout {
	uint64_t
		image; /* page-aligned end of everything ELF, bytes; nothing says an image is there */
	uint64_t end; /* the same, not aligned: where AppImages of other tools have their image */
	uint64_t manifest; /* position of the .fuselage section, 0: there is none */
	uint64_t manifest_size;
};

/* `name` is for the failure's text. Takes 32- and 64-bit little-endian files. */
int elf_read_layout(int fd, const char *name, struct elf_layout *layout, struct failure *failure);

#endif
