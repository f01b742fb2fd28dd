/*
 * A read-only FUSE server for one image, straight on /dev/fuse.
 *
 * Stateless: a node id is the inode's reference in the image plus 2 (the root is FUSE_ROOT_ID), so
 * FORGET has nothing to forget and the only things that change are caches. The kernel is told to
 * cache everything for ever.
 */
#ifndef FUSE_SERVER_H
#define FUSE_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "squashfs/squashfs.h"

struct fuse_server {
	int device; /* /dev/fuse, mounted */
	struct sqfs_reader *reader;
	/* Owners that the user namespace does not map are shown as the caller. */
	bool one_owner;
	uid_t uid;
	gid_t gid;
	/* negotiated */
	bool no_open;
	bool no_opendir;
	uint8_t *reply; /* FUSE_REPLY_MAX bytes for answers that are put together */
	/* Called once when the kernel's INIT has been answered (0) or refused (errno). */
	void (*ready)(struct fuse_server *server, int error);
	int ready_socket;
};

/* Largest answer to one READ or READDIR, bytes: 256 pages, the most that max_pages gives. */
#define FUSE_REPLY_MAX (1u << 20)

/* Serves until the file system is unmounted. Returns 0, or the errno that ended it. */
int fuse_serve(struct fuse_server *server);

#endif
