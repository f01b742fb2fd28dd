/*
 * The word auto_unmount: a process that takes a mount on the host away when what serves it has ended in
 * any way, by SIGKILL too. The kernel leaves such a mount where it is, and every access to it fails.
 *
 * It holds no file of the mount's and lives where its starter lives, with the same rights.
 */
#ifndef MOUNT_AUTO_UNMOUNT_H
#define MOUNT_AUTO_UNMOUNT_H

#include "base/fail.h"

/*
 * Leaves such a process behind for what this process has just mounted at `target`. `server` is a socket that
 * is at its end when the server has ended, or -1: the kernel serves. `waiter`, unless it is NULL, becomes a
 * socket of the caller's: where it ends without auto_unmount_dismiss, the mount goes too. Returns 0, or -1.
 */
int auto_unmount_start(const char *target, int server, int *waiter, struct failure *failure);

/* Says that the mount is gone, and closes the socket. */
void auto_unmount_dismiss(int *waiter);

#endif
