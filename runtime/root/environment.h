/* The variables of an app whose root directory is the image. */
#ifndef ROOT_ENVIRONMENT_H
#define ROOT_ENVIRONMENT_H

#include "root/root_start.h"

/*
 * The caller's, without what names places of its machine, and with --contain next to nothing; then what
 * the image says; then -e. `home`: whether the caller's home directory is inside. `faked`: apt is told
 * that it has no other user to become.
 */
int environment_set(const struct root_start *root, const struct start *start, bool home, bool faked,
		    struct failure *failure);

#endif
