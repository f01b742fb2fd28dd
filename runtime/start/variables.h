/* The environment of the app, and what is expanded in recorded texts. */
#ifndef VARIABLES_H
#define VARIABLES_H

#include <stddef.h>

#include "base/fail.h"
#include "bundle/bundle.h"
#include "start/start.h"

/* Which variables are expanded in a text, written as ${NAME}. */
enum expansion {
	EXPAND_NOTHING,
	EXPAND_ROOT, /* FUSELAGE_BUNDLE_DIR */
	EXPAND_PLACES, /* all that are set and begin with FUSELAGE_ */
};

/*
 * Copies `text` and expands it; `root` is the value of FUSELAGE_BUNDLE_DIR. Returns the bytes with
 * the final NUL; without `to` it only counts.
 */
size_t variables_expand(char *to, const char *text, enum expansion expansion, const char *root);

/* The root of the bundle's own image; NULL when the invocation does not use it. */
const char *variables_root(const struct invocation *invocation, const struct bundle *bundle);

/* Makes the process's environment the app's. `bundle` is NULL for the runner. */
int variables_set(const struct start *start, const struct bundle *bundle, struct failure *failure);

#endif
