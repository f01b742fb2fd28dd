/* Writes the tree of an image into a directory. */
#ifndef SQUASHFS_EXTRACT_H
#define SQUASHFS_EXTRACT_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "squashfs/squashfs.h"

/*
 * What may give rights to those who did not ask for it, or to others than whoever extracts (enum
 * extract_kind of generated/squashfs.h) is left out and counted, for root too, unless its bit
 * (1 << kind) is in extract_options.keep.
 */

/* How options and reports call each. */
extern const char *const extract_words[EXTRACT_COUNTS];

struct extract_options {
	unsigned keep;
	bool xattrs; /* set extended attributes */
	/* NULL: all; else only the entries it says yes to, and the directories that lead there */
	bool (*wanted)(void *context, const char *path);
	void *wanted_context;
	/* NULL, or set by a signal handler: extraction ends with EINTR */
	const volatile sig_atomic_t *interrupted;
};

struct extract_report {
	uint64_t entries; /* made, the root not counted */
	uint64_t bytes; /* of file contents written, holes not counted */
	/* By kind. Root's files that somebody else extracts are not counted: most images have no others. */
	uint64_t left_out[EXTRACT_COUNTS];
	/* on failure */
	int error; /* SQFS_E*, or 0 when `system_error` says what failed */
	int system_error; /* errno of the destination */
	char path[PATH_MAX]; /* in the image, "" is its root */
};

/*
 * Extracts everything below the root into the directory `dir_fd`, which must be empty and should
 * be one that nobody else can write to (mode 0700): nothing is followed or overwritten, and a
 * collision is an error. Modes and times of the root are set too. Returns 0, or -1 with the
 * report's failure filled in, which is the first one in the order of the image; what was written
 * by then stays.
 *
 * An image of more than a few megabytes or a few hundred files is extracted by as many threads as
 * there are processors; they have ended when this returns. The result does not depend on them.
 *
 * Bounds: 256 levels of directories, and what census.h says.
 */
int extract_tree(struct sqfs_reader *reader, int dir_fd, const struct extract_options *options,
		 struct extract_report *report);

#endif
