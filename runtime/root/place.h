/*
 * Puts trees of the machine's into the new root directory, whose maker nobody trusts. Every path is
 * looked up when the image is the root, so no link in it leads out of it; and none leads into what
 * was placed before, since only the mount that a path is in is searched. Nothing in /proc is followed.
 */
#ifndef ROOT_PLACE_H
#define ROOT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/fail.h"

enum place_kind {
	/* What the system needs there: takes the place of a link or file, which is not followed. */
	PLACE_SYSTEM,
	/* What the user wants there: links are followed in the image. */
	PLACE_GIVEN,
};

struct place {
	int tree; /* detached, from open_tree(2); -1: left out */
	const char *path; /* where it is to be: absolute, without "." and ".." */
	enum place_kind kind;
	bool directory;
	bool read_only;
	bool no_exec; /* nothing in it is executed */
	bool optional; /* left out where the image has no place for it and none can be made */
	bool placed;
};

/* Places them in their order, and closes none. A later one may be below an earlier one. */
int place_all(struct place *places, size_t count, struct failure *failure);

/*
 * Opens a directory of the new root. In the image and in `memory`, the tmpfs of /tmp and /run, it is made when it is
 * missing, with those that it is in. Returns a descriptor (O_PATH).
 */
int place_directory(const char *path, dev_t memory, struct failure *failure);

#endif
