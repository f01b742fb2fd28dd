/* Paths inside the image, without recursion and without ever leaving its root. */
#include <limits.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define DEPTH_MAX 256
#define SYMLINKS_MAX 40

struct walk {
	uint64_t parents[DEPTH_MAX]; /* inode references from the root down */
	size_t depth;
	unsigned symlinks;
	char rest[2 * PATH_MAX]; /* what is still to be walked */
};

/* Puts the link's target before the rest of the path. */
static int expand(struct sqfs_reader *reader, const struct sqfs_inode *link, struct walk *walk,
		  const char *rest)
{
	char target[PATH_MAX];
	size_t left = strlen(rest);
	ssize_t n;

	if (++walk->symlinks > SYMLINKS_MAX)
		return sqfs_fail(reader, SQFS_ELOOP, "path: more than %d symlinks", SYMLINKS_MAX);
	n = sqfs_readlink(reader, link, target, sizeof target);
	if (n < 0)
		return (int)n;
	if ((size_t)n + 1 + left + 1 > sizeof walk->rest)
		return sqfs_fail(reader, SQFS_ELOOP, "path: too long after a symlink");
	memmove(walk->rest + n + 1, rest, left + 1);
	memcpy(walk->rest, target, (size_t)n);
	walk->rest[n] = '/';
	if (target[0] == '/')
		walk->depth = 0;
	return 0;
}

static int walk_path(struct sqfs_reader *reader, bool follow_last, struct walk *walk,
		     struct sqfs_inode *inode)
{
	const char *at = walk->rest;
	struct sqfs_entry entry;
	int error = sqfs_inode_read(reader, reader->fs->super.root_ref, inode);

	while (!error) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (length == 0)
			return 0;
		bool last = at[length + strspn(at + length, "/")] == 0;

		if (length == 1 && at[0] == '.') {
			at += length;
			continue;
		}
		if (length == 2 && at[0] == '.' && at[1] == '.') {
			uint64_t up = walk->depth ? walk->parents[--walk->depth] :
						    reader->fs->super.root_ref;
			error = sqfs_inode_read(reader, up, inode);
			at += length;
			continue;
		}
		if (inode->type != SQFS_DIR)
			return sqfs_fail(reader, SQFS_ENOTDIR, "path: a component is no directory");
		if (walk->depth == DEPTH_MAX)
			return sqfs_fail(reader, SQFS_ELOOP, "path: deeper than %d", DEPTH_MAX);
		uint64_t here = inode->ref;
		error = sqfs_dir_lookup(reader, inode, at, length, &entry);
		if (!error)
			error = sqfs_inode_read(reader, entry.ref, inode);
		if (error)
			return error;
		at += length;
		if (inode->type == SQFS_SYMLINK && (!last || follow_last)) {
			error = expand(reader, inode, walk, at);
			at = walk->rest;
			/* A relative target starts where the link stands. */
			uint64_t from = at[0] == '/' ? reader->fs->super.root_ref : here;
			if (!error)
				error = sqfs_inode_read(reader, from, inode);
			continue;
		}
		walk->parents[walk->depth++] = here;
	}
	return error;
}

int sqfs_path_lookup(struct sqfs_reader *reader, const char *path, bool follow_last,
		     struct sqfs_inode *inode)
{
	struct walk *walk = calloc(1, sizeof *walk);
	int error;

	if (!walk)
		return sqfs_fail(reader, SQFS_ENOMEM, "path");
	if (strlen(path) >= PATH_MAX) {
		error = sqfs_fail(reader, SQFS_ELOOP, "path: too long");
	} else {
		memcpy(walk->rest, path, strlen(path) + 1);
		error = walk_path(reader, follow_last, walk, inode);
	}
	free(walk);
	return error;
}
