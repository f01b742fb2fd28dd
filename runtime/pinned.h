/*
 * Mount points that cannot be changed for others between the check and the mount: a directory is
 * opened once, with the caller's rights and without following a link, checked, and mounted on by
 * its descriptor.
 */
#ifndef PINNED_H
#define PINNED_H

#include <stdbool.h>

#include "start.h"

struct mount_call {
	const char *source;
	const char *type;
	unsigned long flags; /* MS_NOSUID and MS_NODEV are always added */
	const char *options;
};

/* Opens it (O_PATH) and checks it, as mount_pinned does. Returns a descriptor, or -1 and errno. */
int open_mount_point(const struct start *start, const char *target, bool fixed);

/*
 * Mounts at `target`. In setuid-root mode the directory must belong to the caller, unless `fixed`
 * says that it is one of /run/fuselage, which root made. Returns 0, or -1 and errno (EPERM: the
 * directory is not the caller's).
 */
int mount_pinned(const struct start *start, const char *target, bool fixed,
		 const struct mount_call *call);

/* Mounts a tmpfs that belongs to the caller, mode 0755. */
int mount_tmpfs(const struct start *start, const char *target, bool fixed);
/* Makes that tmpfs read-only. */
int remount_read_only(const struct start *start, const char *target);
void unmount_pinned(const struct start *start, const char *target);

#endif
