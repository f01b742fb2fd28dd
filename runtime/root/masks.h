/*
 * Parts of /proc and /sys that containers are not to see or change, as engines hide them. For root of
 * the machine, and with --contain. To an ordinary user they are closed anyway.
 */
#ifndef ROOT_MASKS_H
#define ROOT_MASKS_H

#include "base/fail.h"

#define MASKS_DIRECTORIES 5

/* While the tmpfs is there: the empty directories that cover others. */
void masks_collect(int base, int trees[MASKS_DIRECTORIES]);

/* When /proc and /sys are in their places. */
int masks_place(const int trees[MASKS_DIRECTORIES], struct failure *failure);

#endif
