/* --run PATH: which file of which archive that is. */
#ifndef FIND_PROGRAM_H
#define FIND_PROGRAM_H

#include "start/invocation.h"

/*
 * Finds `wanted` in the placed archives: /run/fuselage/NAME/path, NAME/path, or a path that
 * exactly one archive has. Writes the path to execute (PATH_MAX bytes). Symbolic links resolve
 * inside the archive's root, but for a path below /run/fuselage, which means what it says.
 */
int find_program(const struct invocation *invocation, const char *wanted, char *path,
		 struct failure *failure);

#endif
