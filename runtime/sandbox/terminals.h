/* Terminals: those that the start has got and those that the app makes, but no other of its user's. */
#ifndef SANDBOX_TERMINALS_H
#define SANDBOX_TERMINALS_H

#include "sandbox/grants.h"

/* Adds the terminals of standard input, output and error, and what new ones are made by. */
int terminals_add(struct grants *grants, struct failure *failure);

/* In the mount namespace of the start alone: gives the app a /dev/pts of its own, with its own terminal as /dev/console (where ttyname(3) finds it). */
int terminals_make(struct grants *grants, struct failure *failure);

#endif
