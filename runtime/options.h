/* What a bundle does for its user instead of starting the app: --bundle-*, as the first argument. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "start.h"

/*
 * Carries out the option that argv[1] names. Returns 1 when it did, 0 when argv[1] is no option of
 * ours (the app is to be started), or -1.
 */
int options_run(struct start *start, char **argv, struct failure *failure);

#endif
