/* Ways to make the image visible, and the order in which they are tried. */
#ifndef STRATEGY_H
#define STRATEGY_H

#include "start.h"

/*
 * Enters the private namespace and makes the image's tree stand at start->bundle_dir, by the
 * strategy that `wanted` names (FUSELAGE_MOUNT: "loop", "fuse", "extract"), or for "auto" by the
 * first of them that works. When none does, the failure lists each with its reason.
 */
int strategy_apply(struct start *start, const char *wanted, struct failure *failure);

#endif
