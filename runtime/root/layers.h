/*
 * The root directory itself: the mounted image, below a layer that takes all changes. That is in a tmpfs
 * of this start, or in the directory of --persist.
 */
#ifndef ROOT_LAYERS_H
#define ROOT_LAYERS_H

#include "root/root_start.h"

/* Directories of the tmpfs, which become others of the new root. */
#define LAYER_TMP "t"
#define LAYER_RUN "n"
#define LAYER_SHM "s"
#define LAYER_DEV "d"
#define LAYER_EMPTY "e" /* for what is masked */

/* The tmpfs, mounted and opened. Returns its descriptor. */
int layers_base(const struct root_start *root, const struct start *start, struct failure *failure);

/* Lays the writable layer over the image and makes that the root directory of this process. */
int layers_enter(struct root_start *root, const struct start *start, int base,
		 struct failure *failure);

#endif
