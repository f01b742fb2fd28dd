/* Folders of an image at paths of their own, for the app and what it starts: bundle/map.h. */
#ifndef MAPS_H
#define MAPS_H

#include "flavour/flavour.h"
#include "start/start.h"

/* The builder takes the runner for a bundle that has any. */
static inline bool maps_are_wanted(const struct start *start)
{
	return flavour_is_runner && start->invocation.map_count > 0;
}

/*
 * While nothing has been done: in setuid-root mode nothing appears at paths that others know. Leaves
 * out those that are optional, and fails for any other.
 */
int maps_begin(struct start *start, struct failure *failure);

/* The same where there is no namespace; start->mounting.refusal says why. */
int maps_without_namespace(struct start *start, struct failure *failure);

/* In the namespace, before the archives are placed: finds the paths, and makes those that are missing. */
int maps_prepare(struct start *start, struct failure *failure);

/* When they are: makes the folders appear. */
int maps_place(struct start *start, struct failure *failure);

#endif
