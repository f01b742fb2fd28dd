/*
 * Files that are read one after the other, in the order in which they stand in the image: as `cp
 * -r`, `grep -r`, `tar` and whatever loads a program's modules do. Their contents are put into the
 * kernel's page cache before they are asked for, which spares a request for each of them.
 *
 * Now and then one file is left out. The READ of it says how far the reader has come; without such
 * a sign nothing more is stored.
 */
#ifndef FUSE_READAHEAD_FILES_H
#define FUSE_READAHEAD_FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "squashfs/squashfs.h"

struct fuse_readahead;

struct readahead_files {
	/* by whoever answers a READ; inode numbers */
	_Atomic uint32_t last; /* of the file that was read last */
	_Atomic uint32_t first; /* the files from here on ... */
	_Atomic uint32_t limit; /* ... to here, exclusive, were stored or are being stored */
	/* the helper's own */
	struct sqfs_inode at; /* the last one that was looked at */
	uint32_t window; /* how many to go ahead of the reader */
};

/* Whether the end of this file was read by somebody who goes from file to file. */
bool readahead_files_in_order(struct readahead_files *files, const struct sqfs_inode *inode);
/* Stores what comes behind a file that was read to its end. */
void readahead_files_go_ahead(struct fuse_readahead *helper, const struct sqfs_inode *inode);

#endif
