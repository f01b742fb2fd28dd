/* The command line of the runner. */
#ifndef RUNNER_OPTIONS_H
#define RUNNER_OPTIONS_H

#include "base/fail.h"
#include "start/invocation.h"

/*
 * Parses the runner's options: those before the first argument that is none, or before "--".
 * `self` is the file that /proc/self/exe stands for inside a bundle, or NULL. Strings are borrowed
 * from argv, which is NULL-terminated and starts with the first option.
 */
int runner_options_parse(struct invocation *invocation, char **argv, const char *self,
			 struct failure *failure);
/* Fails when `value` is no mount type; `name` is where it came from. */
int runner_options_check_mount_type(const char *name, const char *value, struct failure *failure);

#endif
