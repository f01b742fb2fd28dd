/* Variables FUSELAGE_* that hold a number. */
#ifndef BASE_VARIABLE_H
#define BASE_VARIABLE_H

#include "base/fail.h"

/*
 * The number in the variable, from 0 to `most`, or `otherwise` where it is unset or empty. Returns -1 and
 * E_VARIABLE for anything else: what was meant is not known.
 */
int variable_number(const char *name, int most, int otherwise, struct failure *failure);

/* Whether the variable is 1. Anything but 0, 1 and nothing is refused elsewhere, at the start. */
bool variable_is_on(const char *name);

#endif
