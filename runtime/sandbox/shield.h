/* The files that the next start is made of, in a directory that the app may write to. */
#ifndef SANDBOX_SHIELD_H
#define SANDBOX_SHIELD_H

#include "sandbox/grants.h"

/*
 * Makes them read-only where they are, and lets nobody in this mount namespace move or remove them: a new file in the
 * place of the bundle would have other permissions, or none.
 */
int shield(const struct grants *grants, struct failure *failure);

#endif
