/*
 * Work that no request waits for, done by a thread of its own while a processor is idle:
 *
 * - STORE puts the rest of a block into the kernel's page cache after a READ of a part of it, so
 *   that the parts that follow are never asked for. The kernel makes it wait for pages that a
 *   queued READ has locked: a thread that serves must not do this, or all of them might wait for
 *   READs that none is left to take.
 * - FILES stores the files that a reader of file after file will want next (readahead_files.h).
 * - AHEAD decompresses what a sequential reader will want next.
 * - With nothing else to do it sweeps a file that is read at random places (readahead_blocks.h).
 *
 * Jobs are hints: when the queue is full they are dropped.
 */
#ifndef FUSE_READAHEAD_H
#define FUSE_READAHEAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "fuse/readahead_files.h"
#include "fuse/readahead_blocks.h"
#include "squashfs/squashfs.h"

#define FUSE_JOBS_MAX 16 /* a power of two */

enum readahead_job_kind {
	JOB_STORE,
	JOB_AHEAD,
	JOB_FRAGMENT,
	JOB_FILES
};

struct readahead_job {
	enum readahead_job_kind kind;
	uint64_t node;
	struct sqfs_inode inode;
	uint64_t start; /* the range of the file that the kernel has by now */
	uint64_t end;
	uint32_t fragment;
};

#define FUSE_STREAMS 4

/* A file that is read in order, and how far. */
struct fuse_stream {
	uint64_t node;
	uint64_t end;
};

struct fuse_server;

struct fuse_readahead {
	struct fuse_server *server;
	struct sqfs_reader *reader;
	pthread_mutex_t lock;
	pthread_cond_t posted;
	unsigned first; /* jobs are posted at `next` and taken at `first`, both modulo the room */
	unsigned next;
	struct readahead_job jobs[FUSE_JOBS_MAX];
	struct fuse_stream streams[FUSE_STREAMS]; /* the most recent one first */
	struct readahead_files files;
	struct readahead_blocks sweep; /* the helper's own */
	bool running; /* set before there is another thread that reads it */
};

void readahead_init(struct fuse_readahead *helper, struct fuse_server *server);
void *readahead_main(void *helper);
/* Takes a copy of the job, or drops it. */
void readahead_post(struct fuse_readahead *helper, const struct readahead_job *job);

/* Puts contents into the kernel's page cache. False when it does not know the file. */
bool readahead_store(struct fuse_server *server, uint64_t node, uint64_t offset,
		     const uint8_t *data, uint32_t size);

#endif
