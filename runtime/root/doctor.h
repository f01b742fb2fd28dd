/* What --bundle-doctor says of a start whose root directory is the image. */
#ifndef ROOT_DOCTOR_H
#define ROOT_DOCTOR_H

#include <stdio.h>

#include "root/root_start.h"

/* Makes the root directory in a process of its own, which starts nothing, and prints what came of it. */
void root_doctor(struct root_start *root, struct start *start, FILE *out);

#endif
