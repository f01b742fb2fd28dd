/* Private directories over those where a user's files, sockets and other programs are. */
#ifndef SANDBOX_VIEWS_H
#define SANDBOX_VIEWS_H

#include "sandbox/grants.h"

/*
 * In a mount namespace of this start alone: /tmp, /var/tmp, /run, /dev/shm and the home become empty directories in
 * memory, but where rules allow them as a whole, and what grants keep is put back into them. The current directory is
 * the same where it is still there, else the home or the root. What is
 * private gets `rights`. `memory` is a directory of this start's own file system in memory, or NULL: one is mounted.
 */
int views_make(struct grants *grants, const char *memory, unsigned rights, struct failure *failure);

#endif
