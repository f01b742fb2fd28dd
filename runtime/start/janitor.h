/*
 * Without a private namespace nothing goes away by itself. A process of its own waits for the end
 * of the app, unmounts what the start had mounted on the host as soon as nobody uses it, and
 * removes the start's directory.
 */
#ifndef JANITOR_H
#define JANITOR_H

#include <stdbool.h>

#include "base/fail.h"
#include "kernel/privileges.h"
#include "start/procdir.h"

/*
 * Forks it, detached. Mounts are found in the directory when the time comes. *janitor becomes a socket to
 * it, which ends with our exec. A descriptor that is sent there is open for as long as the janitor lives;
 * the mounts stay for as long as anybody has the socket.
 */
int janitor_start(const struct procdir *procdir, const struct caller *caller, int *janitor,
		  struct failure *failure);

/* Ends it: there is nothing for it to do. Closes the socket. */
void janitor_dismiss(int *janitor);

/* Cleans up right now. Returns false for what is still in use: that is left to the janitor. */
bool janitor_finish(const struct procdir *procdir);

/* Cleans up after starts whose janitor was killed: directories of dead processes below `base`. */
void janitor_sweep(const char *base);

#endif
