/* Paths that are the same at every start: /run/fuselage/NAME. */
#ifndef RUN_DIRECTORY_H
#define RUN_DIRECTORY_H

#include "start/invocation.h"
#include "start/procdir.h"

/*
 * Makes the directories of all archives at fixed paths. With root's rights they are made on the
 * host, before the namespace is entered, empty and root's: run_directory_prepare. Without, run_directory_cover
 * puts a tmpfs over /run in the private namespace that holds all that /run held, bound there, and
 * the directories. Neither does anything when no archive has a fixed path, or all are there.
 */
int run_directory_prepare(const struct invocation *invocation, const struct identity *identity,
			  struct failure *failure);
int run_directory_cover(const struct invocation *invocation, const struct identity *identity,
			const struct procdir *procdir, struct failure *failure);

#endif
