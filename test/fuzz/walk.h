/* Everything that the reader can be asked about an image. */
#ifndef FUZZ_WALK_H
#define FUZZ_WALK_H

#include "squashfs/squashfs.h"

/* Reads every entry, attribute and byte, `budget` bytes of contents at the most. */
void walk(struct sqfs_reader *reader, uint64_t budget);

#endif
