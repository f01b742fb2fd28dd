/* --bundle-extract: the whole image as a directory, or nothing at all. */
#ifndef EXTRACT_COMMAND_H
#define EXTRACT_COMMAND_H

#include "bundle/bundle.h"

/* All zero: everything, into nothing or an empty directory. */
struct extract_request {
	char **patterns; /* only what matches one of them; NULL-terminated, or NULL */
	bool merge; /* into any directory: what has the same name in it is replaced */
	unsigned keep; /* as in extract_options */
};

/* Takes options (--set-id and the like) out of a NULL-terminated list of arguments. */
int extract_options(char **args, struct extract_request *request, struct failure *failure);

/*
 * Extracts into a new directory beside `target` and renames it there when it is complete. `target`
 * may be an empty directory. On failure, and on SIGINT, SIGTERM or SIGHUP, nothing is left.
 */
int extract_bundle(struct bundle *bundle, const char *target, const struct extract_request *request,
		   struct failure *failure);

#endif
