/* Mounts by fusermount3, where user namespaces are refused: the setuid helper of libfuse mounts on
 * the host and hands the device over. */
#ifndef FUSE_FUSERMOUNT_H
#define FUSE_FUSERMOUNT_H

#include "start.h"

/* Mounts at `target`, a directory of the caller's. Returns /dev/fuse, mounted, or -1. */
int fusermount_mount(const struct start *start, const char *target, struct failure *failure);

/* Unmounts. Returns 0, or -1: still in use, or not mounted. Quiet; nothing of it is reported. */
int fusermount_unmount(const char *target);

#endif
