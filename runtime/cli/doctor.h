/* --bundle-doctor: which strategies work here, and for the others why not and what to do. */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "start/start.h"

/*
 * Tries every strategy for real, each in a process of its own that mounts the first archive of the
 * invocation and ends, and prints a line for each, or a JSON array. Then says, with JSON on stderr,
 * in which user namespace the app would be and whether that is what it needs, whether a mount of the
 * archive is kept, or the server of running apps was killed. Returns 0, or -1 when not even one
 * strategy works.
 */
int doctor_run(struct start *start, bool json, struct failure *failure);

#endif
