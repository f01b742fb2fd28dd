/* Makes every archive of an invocation appear where it belongs. */
#ifndef PLACE_H
#define PLACE_H

#include "start/start.h"

/*
 * Enters the private namespace and places all archives: static ones read-only, dynamic ones as a
 * private writable copy that costs nothing until it is written to (overlayfs over the mounted
 * image, or an extraction where that is refused). Sets archive->target.
 */
int place_all(struct start *start, struct failure *failure);

#endif
