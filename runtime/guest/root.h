/* An app whose root directory is an image: its own, or that of another disk. */
#ifndef GUEST_ROOT_H
#define GUEST_ROOT_H

#include "guest/guest.h"
#include "start/start.h"

/* In the app's process: becomes the app. Returns -1, or not at all. */
int root_run(struct start *start, struct guest *guest, struct failure *failure);

#endif
