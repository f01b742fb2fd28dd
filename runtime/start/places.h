/* Where paths lead on this machine, and folders made there for this start alone. */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"
#include "start/start.h"

struct place {
	char *path; /* where it is, links on the way followed; to be freed */
	size_t there; /* as many bytes of it exist; 0: only the root does, which has no name */
	enum fuselage_code code; /* of a failure to make it */
	const char *shown; /* what that is about */
	bool optional; /* go on without it */
	bool left_out; /* set when it was refused and is optional */
};

/*
 * Follows `path`, whose end need not exist. A link that leads nowhere is followed too: what it names is
 * what has to be made. Returns 0, or -1 and errno (ELOOP; ENOENT: by ".." behind what is not there).
 */
int place_find(struct place *place, const char *path);

/* Whether all of it exists. */
bool place_is_there(const struct place *place);

/*
 * Makes those that do not exist, by covering the directories that they are in (cover.h). The start's
 * current directory is the same afterwards, as the caller sees it.
 */
int places_make(struct start *start, struct place **places, size_t count, struct failure *failure);

#endif
