/* The blocks of a start's program and list, each once, in the order of their first use. */
#ifndef FUSE_PREFETCH_BLOCKS_H
#define FUSE_PREFETCH_BLOCKS_H

#include "fuse/prefetch.h"

/* Notes files and blocks. False where there are none, or no memory. */
bool prefetch_list_blocks(struct fuse_prefetch *prefetch, const struct fuse_service *service);

/* The file of this inode number; one without a number when the list has none. */
struct prefetch_file *prefetch_find_file(const struct fuse_prefetch *prefetch, uint32_t number);
/* The place of a file's block; *place is 0 when the list has no such block. */
uint32_t *prefetch_find_place(const struct fuse_prefetch *prefetch,
			      const struct prefetch_file *file, uint64_t index);

#endif
