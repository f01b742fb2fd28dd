/* The last phase: the app's environment and exec. */
#ifndef LAUNCH_H
#define LAUNCH_H

#include "start.h"

/*
 * Replaces this process by the entrypoint, with the recorded arguments and then `args`
 * (NULL-terminated). Returns only on failure.
 */
int launch(struct start *start, char **args, struct failure *failure);

#endif
