/* --bundle-extract: the whole image as a directory, or nothing at all. */
#ifndef UNPACK_H
#define UNPACK_H

#include "bundle.h"

/*
 * Extracts into a new directory beside `target` and renames it there when it is complete. `target`
 * may be an empty directory. On failure, and on SIGINT, SIGTERM or SIGHUP, nothing is left.
 */
int unpack(struct bundle *bundle, const char *target, struct failure *failure);

#endif
