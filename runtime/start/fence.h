/* A start that is fenced in: what the room sandbox is told of it. Only the runner has it. */
#ifndef START_FENCE_H
#define START_FENCE_H

#include <stdio.h>

#include "bundle/bundle.h"
#include "start/start.h"

/*
 * Decides whether there is to be a sandbox, before anything is done for the start: by the rules of the bundle (or
 * NULL), those of the command line, and FUSELAGE_SANDBOX, which has the last word. A setuid-root start that is fenced
 * in gives up root for ever.
 */
int fence_choose(struct start *start, const struct bundle *bundle, struct failure *failure);

/* Makes it: everything is mounted, and `program` is to be executed, or something in PATH. */
int fence_enter(const struct start *start, const char *program, struct failure *failure);

/* Lines for the doctor. */
void fence_report(const struct start *start, FILE *out);

#endif
