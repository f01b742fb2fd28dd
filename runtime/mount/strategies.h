/* Ways to make a squashfs image visible, and the order in which they are tried. */
#ifndef MOUNT_STRATEGIES_H
#define MOUNT_STRATEGIES_H

#include "fuse/fuse_mount.h"
#include "archive/archive.h"
#include "mount/mounting.h"

struct image_mount {
	struct archive *archive;
	bool one_owner; /* every file must be the caller's, whoever the image says */
	bool writable_copy; /* an extraction stays writable */
	struct fuse_mount server; /* forked before the namespace was entered */
};

/*
 * What has to be done while the host's namespace is still around: without privileges, the server
 * is forked.
 */
int image_mount_prepare(const struct mounting *mounting, struct image_mount *image,
			struct failure *failure);

/*
 * Mounts the image at `target` by the strategy that mounting->type names, or for
 * "auto" by the first that works. When none does, the failure lists each with its reason.
 */
int image_mount_attach(struct mounting *mounting, struct image_mount *image, const char *target,
		       struct failure *failure);

/*
 * A loop device on the image, for the kernel's own squashfs; `path` takes LOOP_PATH_MAX bytes.
 * Returns its descriptor, or -1 with the reason.
 */
int image_loop_device(const struct mounting *mounting, const struct archive *archive, char *path,
		      struct failure *failure);

/* The last strategy on its own: everything into a tmpfs at `target`. */
int image_extract(struct mounting *mounting, const struct archive *archive, const char *target,
		  bool read_only, struct failure *failure);

/* Without a namespace: the files as a tree on disk, which archive->target becomes. */
int image_on_disk(const struct mounting *mounting, struct archive *archive,
		  struct failure *failure);

#endif
