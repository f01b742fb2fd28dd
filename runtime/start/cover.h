/*
 * New folders in a directory of the host, seen in this start's namespace alone: what the directory holds
 * stays visible around them, and the host's.
 *
 * The directory is covered. Where the kernel allows it by an overlay of the directory and of one that
 * holds the new folders: names, owners and modes are the directory's, and what may be written to or is
 * no file is bound on top of it, so that it is the host's own. Else, and for the root, by a tmpfs in
 * which every entry is bound. Either is read-only: what would be made in it would be gone with the
 * start, and is refused instead.
 */
#ifndef COVER_H
#define COVER_H

#include "kernel/identity.h"
#include "start/procdir.h"

struct cover {
	const struct identity *identity;
	struct procdir *procdir; /* opened again: it may be in what is covered */
	const char *directory; /* without links on the way; "/" makes a new root */
	const char *const
		*names; /* of the folders, relative to it; each may have several components */
	size_t count;
};

/*
 * Covers the directory. Returns 0, or -1 and errno, and *where is a text for the failure (the entry that
 * cannot be bound, or what was tried). The current directory stays what it was; the root must not be
 * covered where the path of that leads elsewhere.
 */
int cover_directory(const struct cover *cover, const char **where);

#endif
