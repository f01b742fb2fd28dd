/*
 * A detached mount for another program: a container runtime, a hook, a service manager.
 *
 * It starts this program with one end of a socketpair(AF_UNIX, ...) as descriptor 3 and LISTEN_FDS=1
 * in the environment, as sd_listen_fds(3) has it; where LISTEN_PID is set it must be this process.
 * With LISTEN_FDS=2 or 3 there are more behind it, each called by its word of LISTEN_FDNAMES:
 *
 *   image  the file, open for reading; what the command line calls it is a name for messages
 *   fuse   /dev/fuse, which the other program has mounted itself: it is served, and no mount is made
 *
 * The answer is one message, sent with one sendmsg(2), after which this program exits:
 *
 *   bytes 0..3  int32_t, byte order of the machine: 0, or an errno
 *   from 4 on   text without NUL: on success how it is served ("loop", "fuse"), else "[CODE] words"
 *
 * On success, unless `fuse` was given, it carries the mount by SCM_RIGHTS: a descriptor of fsmount(2) for move_mount(2) with
 * MOVE_MOUNT_F_EMPTY_PATH. Whoever receives it owns it: closed and attached nowhere, the mount
 * ends, and its server with it. No socket ever has a name that others could find.
 */
#ifndef MOUNT_HANDOVER_H
#define MOUNT_HANDOVER_H

#include "base/fail.h"

#define HANDOVER_FD 3
#define HANDOVER_TEXT_MAX 1024 /* bytes */

/* What this program was given: descriptors, close-on-exec, or -1. */
struct handover {
	int socket;
	int image;
	int device;
};

/* Returns 0, or -1 when there is no socket, or with it what nobody knows. */
int handover_take(struct handover *handover, struct failure *failure);

/*
 * Sends that it is served by `strategy`, and `mount` unless it is -1; or, when `strategy` is NULL, what
 * `failure` says. Returns 0 when that was no failure and was sent, else -1.
 */
int handover_send(int socket, int mount, const char *strategy, struct failure *failure);

#endif
