/* Makes every archive of an invocation appear where it belongs. */
#ifndef MOUNT_ARCHIVES_H
#define MOUNT_ARCHIVES_H

#include "start/start.h"

/*
 * Enters the private namespace and places all archives: static ones read-only, dynamic ones as a
 * private writable copy that costs nothing until it is written to (overlayfs over the mounted
 * image, or an extraction where that is refused). Sets archive->target.
 */
int mount_archives(struct start *start, struct failure *failure);

#endif
