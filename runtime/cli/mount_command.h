/* Mounts of the host's as commands: fuselage --mount and --mount-fd, --bundle-mount. */
#ifndef MOUNT_COMMAND_H
#define MOUNT_COMMAND_H

#include "start/start.h"

/*
 * Mounts an opened archive at `dir`, an existing directory; with NULL at a private one, made for
 * it in $TMPDIR or /tmp and printed. Returns when the mount can be used; with `foreground`, and for
 * a directory that was made, it returns only when the mount is gone: unmounted by others, or here
 * after SIGINT, SIGTERM or SIGHUP. A directory that was made is then removed.
 */
int mount_archive(struct start *start, struct archive *archive, const char *dir, bool foreground,
		  struct failure *failure);

/* Carries out start->invocation.mount. */
int mount_run(struct start *start, struct failure *failure);

#endif
