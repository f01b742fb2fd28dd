/*
 * Files of an image of which the caller's cache has a copy, decompressed (cache/hot_files.h). Where the
 * start binds it over its place the server is not asked for it; else the server reads the copy instead
 * of the image.
 */
#ifndef FUSE_KEPT_H
#define FUSE_KEPT_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "generated/spec.h"

struct fuse_kept {
	uint32_t number; /* of its inode; 0 behind the last */
	int file; /* the copy, compared with its digest when it was made; KEPT_BOUND: the server is not asked */
};

#define KEPT_BOUND (-1)
#define KEPT_MOST FUSELAGE_MANIFEST_MAX_KEPT /* of an image */

/* The file of this number, or the one behind the last. */
static inline const struct fuse_kept *kept_find(const struct fuse_kept *kept, uint32_t number)
{
	while (kept->number && kept->number != number)
		kept++;
	return kept;
}

/*
 * Reads all `size` bytes at `position` of a file of which there is a copy. Returns -1 where there is none, or it
 * does not have them: the image does.
 */
static inline ssize_t kept_read(const struct fuse_kept *kept, uint32_t number, void *buffer,
				size_t size, uint64_t position)
{
	const struct fuse_kept *found = kept_find(kept, number);

	if (!found->number || found->file == KEPT_BOUND)
		return -1;
	ssize_t n = pread(found->file, buffer, size, (off_t)position);
	return n == (ssize_t)size ? n : -1;
}

#endif
