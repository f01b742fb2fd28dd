/*
 * A folder of an image that appears at a path of its own: DIR=PATH, in a manifest and on the runner's
 * command line. docs/original-paths.md says what is allowed.
 */
#ifndef MAP_H
#define MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fail.h"

struct map {
	const char *text; /* as it was written, for messages */
	const char *
		source; /* the folder, below the image's root; "." is the root. Not a whole text: */
	size_t source_size;
	const char *path; /* absolute, without "." and ".." and empty components */
	bool optional; /* ?: a start goes on without it */
	bool hides; /* !: a folder that the machine has there */
	size_t archive; /* whose image has it, by its place in the invocation */
	/* When the start has looked for its path: */
	char *place; /* where that leads, links followed; absolute, to be freed */
	bool left_out;
};

/* Takes "DIR=[?][!]/absolute/path" apart. `text` stays the caller's, and is needed as long as the map. */
int map_parse(struct map *map, const char *text, struct failure *failure);

/* Refuses what belongs to the system, whatever a machine has there. */
int map_check_reserved(const struct map *map, const char *path, struct failure *failure);

/* Looks at all of them: none at a reserved path, none at or below the path of another one. */
int maps_check(const struct map *maps, size_t count, struct failure *failure);

/* Whether `path` is `folder` or below it; both absolute and without a slash at their ends. */
bool path_is_within(const char *path, const char *folder);

#endif
