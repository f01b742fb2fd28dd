/* Ways to make a squashfs image visible, and the order in which they are tried. */
#ifndef MOUNT_STRATEGIES_H
#define MOUNT_STRATEGIES_H

#include "fuse/fuse_mount.h"
#include "archive/archive.h"
#include "mount/mounting.h"

enum mount_destination {
	MOUNT_IN_START, /* in the namespace of this start; without one on the host, for it alone */
	MOUNT_ON_HOST, /* where this process is, for whoever looks there */
	MOUNT_DETACHED, /* nowhere yet */
};

struct image_mount {
	struct archive *archive;
	enum mount_destination destination;
	const char *source; /* what the table of mounts calls it */
	bool one_owner; /* every file must be the caller's, whoever the image says */
	struct fuse_mount
		server; /* when it was forked before the namespace was entered; of a mount on the
				   * host that goes with it, afterwards too: the caller closes it */
	int detached; /* made by MOUNT_DETACHED */
};

/* An image that is to be mounted, and for which nothing has been done yet. */
void image_mount_init(struct image_mount *image, struct archive *archive,
		      enum mount_destination destination);

/*
 * What has to be done while the host's namespace is still around: without privileges, the server
 * is forked.
 */
int image_mount_prepare(const struct mounting *mounting, struct image_mount *image,
			struct failure *failure);

/*
 * Mounts the image at `target`, NULL for MOUNT_DETACHED, by the strategy that
 * mounting->type names, or for "auto" by the first that works. When none does, the
 * failure lists each with its reason.
 */
int image_mount_attach(struct mounting *mounting, struct image_mount *image, const char *target,
		       struct failure *failure);

/* The server of `fuse` on its own, for a device that somebody else has mounted. */
int image_serve(struct mounting *mounting, struct image_mount *image, int device,
		struct failure *failure);

/* The last strategy on its own: everything into a tmpfs at `target`. */
int image_extract(struct mounting *mounting, const struct archive *archive, const char *target,
		  bool read_only, struct failure *failure);

/* Without a namespace: the files as a tree on disk, which archive->target becomes. */
int image_on_disk(const struct mounting *mounting, struct archive *archive,
		  struct failure *failure);

#endif
