/* Which libc the programs of a bundle are started by on this machine, and why. */
#ifndef LIBC_REPORT_H
#define LIBC_REPORT_H

#include <stdio.h>

#include "bundle/manifest.h"

/*
 * One line for each libc that is packed; none where there is none. The loader stub of each program decides
 * by itself, whenever it is started: this looks at what it would look at.
 */
void libc_report(const struct manifest *manifest, FILE *out);

#endif
