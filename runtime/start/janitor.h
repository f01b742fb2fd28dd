/*
 * Without a private namespace nothing goes away by itself. A process of its own waits for the end
 * of the app, unmounts what the start had mounted on the host as soon as nobody uses it, and
 * removes the start's directory.
 */
#ifndef JANITOR_H
#define JANITOR_H

#include "base/fail.h"
#include "kernel/privileges.h"
#include "start/procdir.h"

/*
 * Forks it, detached. `start` has its directory; mounts are found in it when the time comes. It
 * keeps open what is sent to the socket start->janitor, which ends with our exec.
 */
int janitor_start(const struct procdir *procdir, const struct caller *caller, int *janitor,
		  struct failure *failure);

/* Cleans up right now, but for what is still in use: that is left to the janitor. */
void janitor_finish(const struct procdir *procdir);

/* Cleans up after starts whose janitor was killed: directories of dead processes below `base`. */
void janitor_sweep(const char *base);

#endif
