/* The app's processes stand still while a snapshot is made, and until a restored machine has its own random numbers. */
#ifndef GUEST_FREEZER_H
#define GUEST_FREEZER_H

#include "base/fail.h"

/* Returns when no process but this one runs in user space. What failed is let go on. */
int freezer_stop(struct failure *failure);

/* Lets go on what was stopped, whether all of it stood still or not. */
void freezer_go_on(void);

#endif
