/*
 * What a walk over a whole image has met so far. An image is a tree: a directory stands in one
 * place, another inode has as many names as it says it has links, and no byte of a listing belongs
 * to two directories. Tables that claim otherwise are refused, so that a walk ends, and meets no
 * more names than there are bytes for in the directory table.
 */
#ifndef SQUASHFS_CENSUS_H
#define SQUASHFS_CENSUS_H

#include "squashfs/inode_map.h"
#include "squashfs/squashfs.h"

struct sqfs_census {
	struct inode_map
		inodes; /* names that were met, by inode number; the values are the walk's */
	struct inode_map listings; /* 1 + bytes of entries that were met, by 1 + metadata block */
	uint64_t scanned; /* where the directory table's next metadata block starts */
};

/*
 * Counts a name, which is `entry` of a listing, or NULL for the root. `place` takes the place of its
 * inode, valid until the next call. Returns 0 or SQFS_E*.
 */
int sqfs_census_add(struct sqfs_census *census, struct sqfs_reader *reader,
		    const struct sqfs_entry *entry, const struct sqfs_inode *inode,
		    struct inode_map_entry **place);
void sqfs_census_free(struct sqfs_census *census);

#endif
