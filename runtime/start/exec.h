/* The last phase: root's rights given up, the environment, exec. */
#ifndef EXEC_H
#define EXEC_H

#include "bundle/bundle.h"
#include "start/start.h"

/*
 * Replaces this process by the bundle's entrypoint, with the recorded arguments and then `args`
 * (NULL-terminated). Returns only on failure.
 */
int exec_bundle(const struct start *start, const struct bundle *bundle, char **args,
		struct failure *failure);

/* Replaces this process by a command with its arguments, found in PATH as it is. Returns only on failure. */
int exec_in_path(const struct start *start, char **command, struct failure *failure);

/*
 * Replaces this process by the command of the invocation, found in PATH, or by what --run names in
 * an archive. Returns only on failure.
 */
int exec_command(const struct start *start, const struct bundle *bundle, struct failure *failure);

/*
 * What runs a file: the first line of a script, or the PT_INTERP of a program, which linkers put on its
 * first page. Empty when it is not found; overwritten by the next call.
 */
const char *interpreter_of(const char *path);

#endif
