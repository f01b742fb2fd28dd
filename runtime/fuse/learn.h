/*
 * A start that teaches the next one: what was read, as a start list, in the file that the starter has
 * opened (cache/starts.h). While it learns, nothing is stored that nobody asked for, or it would not
 * be seen what is wanted; that ends when the app has been quiet for a while.
 */
#ifndef FUSE_LEARN_H
#define FUSE_LEARN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of what is written, at most. */
#define LEARN_FILE_MOST (STARTS_HEADER + START_LIST_BYTES)

struct fuse_server;

/* When a start is over: not before the list that it had has been worked through, and it is quiet. */
struct fuse_settling {
	atomic_bool done;
	double began; /* by clock_milliseconds */
	atomic_uint last_read; /* milliseconds since then */
};

/* Whether the start goes on, by all that is known. Writes what was learned when it does not. */
bool learn_goes_on(struct fuse_server *server);
/* Writes what was learned, once; for the end of the server too. */
void learn_finish(struct fuse_server *server);

#endif
