/* Mounts by fusermount3, where user namespaces are refused: the setuid helper of libfuse mounts on
 * the host and hands the device over. */
#ifndef FUSE_FUSERMOUNT_H
#define FUSE_FUSERMOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "fuse/session.h"
#include "kernel/privileges.h"

/* What every mount by it is. */
#define FUSERMOUNT_OPTIONS "ro,nosuid,nodev,default_permissions,subtype=fuselage," FUSE_MAX_READ
#define FUSERMOUNT_MESSAGE_MAX 400

/*
 * Whether there is one that may have the rights it needs: set-id and root's as this process sees it, in
 * PATH. Starts nothing.
 */
bool fusermount_is_there(void);

/* One that is on its way to end: -1 each when there is none. */
struct fusermount {
	pid_t child;
	int words;
};

/*
 * Mounts at `target`, a directory of the caller's, with options for its -o. Returns /dev/fuse,
 * mounted, or -1. The helper has nothing to do then but to end, which takes it as long as to begin:
 * whoever has the device goes on meanwhile, and calls fusermount_end.
 */
int fusermount_mount(const struct caller *caller, const char *target, const char *options,
		     struct fusermount *mounting, struct failure *failure);
/* Waits for its end. */
void fusermount_end(struct fusermount *mounting);

/*
 * Unmounts; `lazy` also what is in use. Returns 0, or -1: still in use, not mounted, or not the
 * caller's, as `message` says in the helper's words. Nothing of it is printed.
 */
int fusermount_unmount(const char *target, bool lazy, char message[FUSERMOUNT_MESSAGE_MAX]);

#endif
