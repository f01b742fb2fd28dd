/* What a bundle does for its user instead of starting the app: --bundle-*, as the first argument. */
#ifndef BUNDLE_OPTIONS_H
#define BUNDLE_OPTIONS_H

#include <stdio.h>

#include "bundle/bundle.h"
#include "kernel/privileges.h"

/*
 * Carries out the option that args[0] names. Returns 1 when it did, 0 when args[0] is no option of
 * ours (the app is to be started), or -1. None of them needs root, which is given up first.
 */
int bundle_options_run(struct bundle *bundle, const struct caller *caller, char **args,
		       struct failure *failure);

/* What --bundle-help prints. */
void bundle_options_help(FILE *out, const struct bundle *bundle);

/* Makes sure that standard output took everything. */
int bundle_options_flush(struct failure *failure);

#endif
