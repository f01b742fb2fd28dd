/* Paths that are the same at every start: /run/fuselage/NAME. */
#ifndef RUN_DIRECTORY_H
#define RUN_DIRECTORY_H

#include "start/start.h"

/*
 * Makes the directories of all archives at fixed paths. With root's rights they are made on the
 * host, before the namespace is entered, empty and root's: run_directory_prepare. Without,
 * run_directory_cover makes them in the private namespace alone (places.h). Neither does anything when
 * no archive has a fixed path, or all are there.
 */
int run_directory_prepare(const struct invocation *invocation, const struct identity *identity,
			  struct failure *failure);
int run_directory_cover(struct start *start, struct failure *failure);

#endif
