/*
 * An image as a mount of the host's, not of one start's: an interface in three tiers.
 *
 * Tier 1, mount and serve here: `host_mount` puts it on a directory of the namespace that the
 * caller is in. Tier 2, for programs that place it themselves: `host_mount_detached` makes a mount
 * that is nowhere yet, for move_mount(2). Tier 3, for programs that mount themselves:
 * `host_mount_serve` answers what the kernel asks.
 *
 * Either way the kernel or a detached server is what serves it, and goes when the mount does; the
 * caller may exit. What is mounted is the file that was opened: replacing it changes nothing.
 */
#ifndef HOST_MOUNT_H
#define HOST_MOUNT_H

#include "archive/archive.h"
#include "mount/mounting.h"

/*
 * `mounting` holds who the caller is (identity->caller, not setuid, and identity->kind), the way
 * (mounting->type: auto, loop, fuse or fusermount) and the options (mounting->fuse).
 * The archive is opened, and a squashfs image.
 *
 *   loop        CAP_SYS_ADMIN in the initial user namespace; the kernel's squashfs
 *   fuse        CAP_SYS_ADMIN in the caller's user namespace; our server
 *   fusermount  anyone, with fusermount3; our server
 *
 * Every mount is read-only, and nosuid and nodev unless the options say otherwise. Failures: E_MOUNT_REFUSED, which lists every way
 * that was tried with its reason.
 */

/*
 * Mounts at `target`, an absolute path. Returns 0 when it can be used, or -1. `waiter`, where the caller
 * waits for the end of the mount and auto_unmount was asked for, becomes its socket (mount/auto_unmount.h);
 * else it is NULL or stays as it is.
 */
int host_mount(struct mounting *mounting, struct archive *archive, const char *target, int *waiter,
	       struct failure *failure);

/*
 * Returns the descriptor of a mount (close-on-exec) that is served and attached nowhere, or -1. It
 * ends when the descriptor is closed, unless it was moved somewhere by then. Linux 5.2; loop and
 * fuse only.
 */
int host_mount_detached(struct mounting *mounting, struct archive *archive,
			struct failure *failure);

/*
 * Serves `device`, /dev/fuse that the caller has mounted, with the options of FUSE_MOUNT_OPTIONS.
 * Returns 0 when the files can be read, or -1. Without CAP_SYS_ADMIN every file is shown as the
 * caller's, as by fusermount.
 */
int host_mount_serve(struct mounting *mounting, struct archive *archive, int device,
		     struct failure *failure);

/* Unmounts what host_mount mounted; what is in use goes with its last user. Returns 0 or -1. */
int host_unmount(const struct mounting *mounting, const char *target, struct failure *failure);

/*
 * The absolute path, without links, of what open(2) finds at `path` with O_PATH and `flags`.
 * Returns 0, or -1 and errno.
 */
int host_mount_resolve(const char *path, int flags, char resolved[PATH_MAX]);

#endif
