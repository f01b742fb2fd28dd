/*
 * Hot files of a bundle that outlive its mount (cache/hot_files.h): found in the caller's cache, and
 * bound over their places in the mount, or read by its server where that is the host's, so that a first start has no more to decompress than the
 * folder would have to read. Whatever keeps a start from it, it goes on without.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/fail.h"
#include "cache/hot_files.h"

struct archive;
struct bundle;
struct start;

/* What a start has of it. */
struct keep {
	const struct bundle *bundle; /* that has such files; NULL: none are wanted */
	bool wanted; /* by FUSELAGE_KEEP */
	bool at_once; /* make them at the first start, not at the second */
	struct hot_request request; /* `limit` by FUSELAGE_KEEP, `count` by keep_open */
	/* by keep_open */
	int cache; /* the directory that they are in, checked on the host, or -1 */
	struct hot_file files[FUSELAGE_MANIFEST_MAX_KEPT];
	bool calls; /* for a process that makes what is missing, or looks for what is old */
};

/* Reads FUSELAGE_KEEP. */
int keep_parse(struct keep *keep, const char *text, struct failure *failure);

/*
 * While the host's namespaces are around, where owners are who they are: finds what is kept, and notes
 * it for the server. Once for each way to mount that is tried.
 */
void keep_open(struct start *start);

/*
 * Before the namespace is entered: of a start that makes its own mount, has what is missing made when the
 * app runs.
 */
void keep_begin(struct start *start);

/* When the image is mounted: puts what is kept into its place, and notes that this start could use it. */
void keep_bind(struct start *start, const struct archive *archive);

/* For the doctor, with start->home: a line for each of them. */
void keep_tell(struct start *start, FILE *out);

/*
 * Removes what is kept of them, and prints its paths. Later starts make it anew. Returns 0, or -1:
 * what home_prepare fails with.
 */
int keep_forget(struct start *start, struct failure *failure);

#endif
