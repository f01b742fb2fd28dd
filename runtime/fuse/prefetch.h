/*
 * Threads that have the blocks of a start in the kernel's page cache before they are asked for: those of the program
 * that is started, of which the first megabyte is read whatever it is, and those of its start list.
 *
 * They begin with the server, before there is a mount: what they decompress then waits in the server's
 * cache. The kernel takes contents of a file whose inode it knows, which is when a LOOKUP has been
 * answered; until then a file's blocks are put aside, as many as there is room for.
 *
 * There are as many as processors, so that the one of an app that waits for a block works on the next
 * one; each has a low claim to it. A request waits for none of them but for a block that one has begun,
 * which is then nearly there.
 */
#ifndef FUSE_PREFETCH_H
#define FUSE_PREFETCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuse/start_list.h"
#include "squashfs/squashfs.h"

#define PREFETCH_THREADS_MAX 8
#define PREFETCH_ASIDE 128 /* blocks that wait for their inode, at most */

struct fuse_server;
struct fuse_service;

/* A file of the list. */
struct prefetch_file {
	uint32_t number; /* of its inode; 0: free */
	atomic_bool known; /* by the kernel */
};

/*
 * A block of the list, once for all runs in it. All of it is stored: it has to be decompressed as a whole, and
 * of parts the kernel would ask for more around them.
 */
struct prefetch_block {
	struct prefetch_file *file;
	uint32_t index; /* in the file */
	atomic_bool taken; /* by a thread, or asked for meanwhile */
};

struct fuse_prefetch {
	struct fuse_server *server;
	atomic_uint threads; /* that are at work */
	/* not changed after prefetch_start, but for what is atomic */
	struct prefetch_file *files; /* by number */
	size_t file_mask;
	struct prefetch_block *blocks; /* in order */
	uint32_t *places; /* in `blocks`, + 1, by file and index; 0: free */
	size_t place_mask;
	unsigned count;
	unsigned most_aside; /* blocks */
	atomic_uint next; /* block to be had */
	atomic_uint sleeping; /* threads */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed; /* a file is known, or a thread is ready */
	unsigned ready;
	unsigned patience; /* microseconds */
	unsigned aside_count;
	struct prefetch_block *aside[PREFETCH_ASIDE];
};

/*
 * Starts the threads, when the program or the list of `service` has any blocks. Before the sandbox's filter. At
 * most `aside` blocks are decompressed before the kernel can take them.
 */
void prefetch_start(struct fuse_server *server, const struct fuse_service *service, size_t aside);

/* Whether there are blocks of the list that are still to be had. */
static inline bool prefetch_is_at_work(struct fuse_prefetch *prefetch)
{
	return atomic_load_explicit(&prefetch->threads, memory_order_relaxed) > 0;
}

/* The kernel is about to know an inode. */
void prefetch_known(struct fuse_prefetch *prefetch, uint32_t number);
/* The kernel is about to have all of the blocks of a file that [start, end) lies in. */
void prefetch_note(struct fuse_prefetch *prefetch, uint32_t number, uint64_t start, uint64_t end);

#endif
