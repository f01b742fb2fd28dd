/* What a bundle does for its user instead of starting the app: --bundle-*, as the first argument. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "bundle.h"
#include "privileges.h"

/*
 * Carries out the option that argv[1] names. Returns 1 when it did, 0 when argv[1] is no option of
 * ours (the app is to be started), or -1. None of them needs root, which is given up first.
 */
int options_run(struct bundle *bundle, const struct caller *caller, char **argv,
		struct failure *failure);

/* Makes sure that standard output took everything. */
int options_flush(struct failure *failure);

#endif
