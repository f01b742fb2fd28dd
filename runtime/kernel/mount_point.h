/*
 * Mount points that cannot be changed for others between the check and the mount. A directory is
 * opened once, with the caller's rights and without following a link, and checked; what is mounted on
 * is that descriptor.
 *
 * Setuid-root the process goes there and mounts on ".": no call with root's rights resolves a name
 * that somebody else could change, and none goes through /proc, where mounts can forge what a
 * descriptor is. Every mount point is a directory of root's in a directory of root's. The current
 * directory is another one afterwards: namespace_enter keeps the caller's.
 *
 * Else the link in /proc is the name, so that the process stays where its caller was, who may not be
 * allowed to go back there.
 */
#ifndef MOUNT_POINT_H
#define MOUNT_POINT_H

#include <stdbool.h>

#include "kernel/identity.h"

/* Not of the kernel's: they are taken away before it sees them. */
#define MOUNT_WITH_SUID (1ul << 62)
#define MOUNT_WITH_DEV (1ul << 61)

struct mount_call {
	const char *source;
	const char *type;
	/* MS_NOSUID and MS_NODEV are added, unless these say that root wants to be without */
	unsigned long flags;
	const char *options;
};

/*
 * Opens (O_PATH) and checks a mount point: in setuid-root mode it must be root's. Returns a
 * descriptor, or -1 and errno (EPERM: it is somebody else's).
 */
int mount_point_open(const struct identity *identity, const char *target);

/*
 * Opens a directory by a path that was found to have no links on the way, for reading or by O_PATH. Returns a
 * descriptor, or -1 and errno (ESTALE: somebody has put one there since).
 */
int mount_point_real(const char *path, int flags);

/* Mounts at `target`. Returns 0, or -1 and errno. */
int mount_point_mount(const struct identity *identity, const char *target,
		      const struct mount_call *call);
/* Mounts at `name`, which is below the directory `dir`. */
int mount_at(const struct identity *identity, int dir, const char *name,
	     const struct mount_call *call);

/* Mounts a tmpfs that belongs to the caller, mode 0755. */
int mount_point_tmpfs(const struct identity *identity, const char *target);
/* Makes that mount read-only, and nothing else of its file system. */
int mount_point_read_only(const struct identity *identity, const char *target);
void mount_point_unmount(const struct identity *identity, const char *target);

/*
 * Makes a file that is open visible at `path` below the directory `root`, in place of the file there:
 * read-only, nosuid and nodev from its first moment on. No link is followed and no other mount
 * entered on the way. Not in setuid-root mode. Returns 0, or -1 and errno (ENOSYS before Linux 5.12).
 */
int mount_point_bind_file(int file, int root, const char *path);

/*
 * Opens or makes a directory of root's that nobody else may change. To be called with root's
 * rights, which `parent` must be safe for. Returns a descriptor, or -1 and errno.
 */
int open_root_directory(int parent, const char *name);

#endif
