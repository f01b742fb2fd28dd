/*
 * A detached mount for another program: a container runtime, a hook, a service manager.
 *
 * It starts this program with one end of a socketpair(AF_UNIX, ...) as descriptor 3 and LISTEN_FDS=1
 * in the environment, as sd_listen_fds(3) has it; where LISTEN_PID is set it must be this process.
 * The answer is one message, sent with one sendmsg(2), after which this program exits:
 *
 *   bytes 0..3  int32_t, byte order of the machine: 0, or an errno
 *   from 4 on   text without NUL: on success how it is served ("loop", "fuse"), else "[CODE] words"
 *
 * On success it carries the mount by SCM_RIGHTS: a descriptor of fsmount(2) for move_mount(2) with
 * MOVE_MOUNT_F_EMPTY_PATH. Whoever receives it owns it: closed and attached nowhere, the mount
 * ends, and its server with it. No socket ever has a name that others could find.
 */
#ifndef MOUNT_HANDOVER_H
#define MOUNT_HANDOVER_H

#include "base/fail.h"

#define HANDOVER_FD 3
#define HANDOVER_TEXT_MAX 1024 /* bytes */

/* Returns the socket, which is close-on-exec from now on, or -1 when it was not given. */
int handover_socket(struct failure *failure);

/*
 * Sends `mount`, made by `strategy`, or when it is -1 what `failure` says. Returns 0 when a mount
 * was sent, else -1.
 */
int handover_send(int socket, int mount, const char *strategy, struct failure *failure);

#endif
