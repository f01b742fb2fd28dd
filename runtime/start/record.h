/* FUSELAGE_RECORD: a start that leaves a list of all that was read, for a profile. */
#ifndef RECORD_H
#define RECORD_H

#include "start/start.h"

/*
 * Opens the file that the variable names, which must not exist, before the namespace is entered: the
 * server that writes it when the mount ends can open none. Such a start has a mount of its own, so
 * that nobody else's reads are among them. Does nothing where the variable is not set.
 */
int record_begin(struct start *start, struct failure *failure);

/* There is no mount: nothing will be written. */
void record_abandon(struct start *start);

#endif
