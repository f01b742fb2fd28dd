/* What is known of what a start reads, for the doctor. */
#ifndef STARTS_REPORT_H
#define STARTS_REPORT_H

#include <stdio.h>

#include "start/start.h"

/* A line on the start list of the first archive, which is a squashfs image: the bundle's, or what was learned. */
void starts_report(FILE *out, const struct start *start);

#endif
