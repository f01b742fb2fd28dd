/* Where an ELF file ends, which is where its squashfs image starts, and where one of its sections is. */
#ifndef ELF_LAYOUT_H
#define ELF_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"

struct elf_layout {
	uint64_t
		image; /* page-aligned end of everything ELF, bytes; nothing says an image is there */
	uint64_t end; /* the same, not aligned: where AppImages of other tools have their image */
	uint64_t section; /* position of the section that was asked for */
	uint64_t section_size; /* 0: there is none */
};

/*
 * `name` is for the failure's text, `section` the one to look for. Takes 32- and 64-bit
 * little-endian files.
 */
int elf_read_layout(int fd, const char *name, const char *section, struct elf_layout *layout,
		    struct failure *failure);

/*
 * Where a squashfs image of anybody's making stands: our files align it, appimagetool does not. The
 * magic tells.
 */
uint64_t elf_image_offset(int fd, const struct elf_layout *layout);

/* Whether the magic of an image stands there. */
bool elf_image_at(int fd, uint64_t position);

#endif
