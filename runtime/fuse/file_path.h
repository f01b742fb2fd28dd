/* The name of a file whose contents are at fault, for the log. */
#ifndef FUSE_FILE_PATH_H
#define FUSE_FILE_PATH_H

#include <limits.h>
#include <stdbool.h>

#include "squashfs/squashfs.h"

#define FILE_PATH_DEPTH 256 /* levels of directories, the root included */

/* A walk; too large for the stack of a thread. */
struct fuse_file_path {
	struct fuse_file_path_level {
		struct sqfs_inode dir;
		uint64_t cookie; /* of the entry that is looked at next */
		size_t length; /* of its path */
	} levels[FILE_PATH_DEPTH];
	char path[PATH_MAX]; /* from the root of the image: "/bin/tool" */
};

/*
 * Looks for the first name of an inode, whatever the image claims: an inode does not know its
 * names, so that this goes from the root until it meets one. Ends without it after as many names
 * as take a few hundredths of a second, and where the listings are damaged too. What a terminal
 * could mistake is '?' in the path.
 */
bool fuse_file_path_find(struct sqfs_reader *reader, uint64_t ref, struct fuse_file_path *walk);

#endif
