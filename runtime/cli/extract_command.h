/* --bundle-extract: the whole image as a directory, or nothing at all. */
#ifndef UNPACK_H
#define UNPACK_H

#include "bundle/bundle.h"

/* All zero: everything, into nothing or an empty directory. */
struct unpack_wish {
	char **patterns; /* only what matches one of them; NULL-terminated, or NULL */
	bool merge; /* into any directory: what has the same name in it is replaced */
	unsigned keep; /* as in extract_options */
};

/* Takes options (--set-id and the like) out of a NULL-terminated list of arguments. */
int unpack_options(char **args, struct unpack_wish *wish, struct failure *failure);

/*
 * Extracts into a new directory beside `target` and renames it there when it is complete. `target`
 * may be an empty directory. On failure, and on SIGINT, SIGTERM or SIGHUP, nothing is left.
 */
int unpack(struct bundle *bundle, const char *target, const struct unpack_wish *wish,
	   struct failure *failure);

#endif
