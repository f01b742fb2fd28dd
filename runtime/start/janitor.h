/*
 * Without a private namespace nothing goes away by itself. A process of its own waits for the end
 * of the app, unmounts what the start had mounted on the host as soon as nobody uses it, and
 * removes the start's directory.
 */
#ifndef JANITOR_H
#define JANITOR_H

#include "start/start.h"

/*
 * Forks it, detached. `start` has its directory; mounts are found in it when the time comes. It
 * keeps open what is sent to the socket start->janitor, which ends with our exec.
 */
int janitor_start(struct start *start, struct failure *failure);

/* Cleans up right now, but for what is still in use: that is left to the janitor. */
void janitor_finish(const struct start *start);

/* Cleans up after starts of the caller's whose janitor was killed: directories of dead processes. */
void janitor_sweep(const struct start *start);

#endif
