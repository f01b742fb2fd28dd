/*
 * Which blocks of the file that is read at random places the kernel has by now. Once it has a good
 * part of them, the rest is worth putting there while a processor is idle: at the worst the work
 * grows by a fixed factor, and files that are not read so are never swept.
 */
#ifndef FUSE_READAHEAD_BLOCKS_H
#define FUSE_READAHEAD_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "squashfs/squashfs.h"

#define READAHEAD_BLOCKS_MAX 16384u /* longer files are not swept */
#define READAHEAD_BLOCKS_SHARE 16u /* begins when one block of so many is there */

struct readahead_blocks {
	uint64_t node;
	struct sqfs_inode inode;
	uint32_t blocks; /* full ones of the file; 0: none */
	uint32_t there;
	uint32_t next; /* where the search for one that is not there goes on */
	uint8_t map[READAHEAD_BLOCKS_MAX / 8];
};

/* Notes that the kernel has block `index` of a file; another file than before starts anew. */
void readahead_blocks_note(struct readahead_blocks *sweep, uint64_t node,
			   const struct sqfs_inode *inode, unsigned block_log, uint64_t index);

/* The next block that is worth storing, and notes it. False when there is none. */
bool readahead_blocks_next(struct readahead_blocks *sweep, uint64_t *index);

#endif
