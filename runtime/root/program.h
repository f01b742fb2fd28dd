/* What is started in the new root, and with which arguments. */
#ifndef ROOT_PROGRAM_H
#define ROOT_PROGRAM_H

#include "root/root_start.h"

/* Becomes it. Returns -1, or not at all. */
int program_exec(const struct root_start *root, const struct start *start, struct failure *failure);

#endif
