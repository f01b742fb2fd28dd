#include "fuse/readahead.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuse/session.h"

#define SWEEP_FORGET 32 /* blocks */

/* Blocks of a file that are decompressed ahead of a READ. */
#define AHEAD_BLOCKS 2

/* How often it is looked whether a start is over. */
#define WHILE_NS 100000000

void readahead_init(struct fuse_readahead *helper, struct fuse_server *server)
{
	*helper = (struct fuse_readahead){
		.server = server,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.posted = PTHREAD_COND_INITIALIZER,
	};
}

/* Brings the stream of a file to the front, or puts it there in place of the oldest. */
static struct fuse_stream *stream_of(struct fuse_readahead *helper, uint64_t node)
{
	struct fuse_stream *streams = helper->streams;
	struct fuse_stream found = { .node = node };
	size_t at = 0;

	while (at < FUSE_STREAMS - 1 && streams[at].node != node)
		at++;
	if (streams[at].node == node)
		found = streams[at];
	memmove(streams + 1, streams, at * sizeof *streams);
	streams[0] = found;
	return streams;
}

static bool is_queued(const struct fuse_readahead *helper, enum readahead_job_kind kind,
		      uint64_t node)
{
	for (unsigned at = helper->first; at != helper->next; at++) {
		const struct readahead_job *job = &helper->jobs[at % FUSE_JOBS_MAX];
		if (job->kind == kind && job->node == node)
			return true;
	}
	return false;
}

void readahead_post(struct fuse_readahead *helper, const struct readahead_job *job)
{
	bool wanted = true;

	if (!helper->running)
		return;
	pthread_mutex_lock(&helper->lock);
	if (job->kind == JOB_AHEAD) {
		stream_of(helper, job->node)->end = job->end;
		wanted = !is_queued(helper, JOB_AHEAD, job->node);
	}
	if (wanted && helper->next - helper->first < FUSE_JOBS_MAX) {
		helper->jobs[helper->next++ % FUSE_JOBS_MAX] = *job;
		pthread_cond_signal(&helper->posted);
	}
	pthread_mutex_unlock(&helper->lock);
}

enum patience {
	WAIT_NOT,
	WAIT_A_WHILE,
	WAIT
};

/* The next job; false when there is none and the helper is not to wait longer for one. */
static bool take(struct fuse_readahead *helper, enum patience patience, struct readahead_job *job)
{
	struct timespec until;

	pthread_mutex_lock(&helper->lock);
	if (patience == WAIT_A_WHILE && helper->next == helper->first) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (until.tv_nsec + WHILE_NS) / 1000000000;
		until.tv_nsec = (until.tv_nsec + WHILE_NS) % 1000000000;
		pthread_cond_timedwait(&helper->posted, &helper->lock, &until);
	}
	while (patience == WAIT && helper->next == helper->first)
		pthread_cond_wait(&helper->posted, &helper->lock);
	bool taken = helper->next != helper->first;
	if (taken)
		*job = helper->jobs[helper->first++ % FUSE_JOBS_MAX];
	pthread_mutex_unlock(&helper->lock);
	return taken;
}

bool readahead_store(struct fuse_server *server, uint64_t node, uint64_t offset,
		     const uint8_t *data, uint32_t size)
{
	struct fuse_notify_store_out out = { .nodeid = node, .offset = offset, .size = size };
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof header + sizeof out) + size,
		.error = FUSE_NOTIFY_STORE,
	};
	struct iovec parts[3] = {
		{ .iov_base = &header, .iov_len = sizeof header },
		{ .iov_base = &out, .iov_len = sizeof out },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
	};

	/* ENOENT: the kernel has forgotten the inode. A hint in any case. */
	return writev(server->device, parts, 3) >= 0 || errno != ENOENT;
}

/* The parts of block `index` that lie outside of [start, end). */
static void store_around(struct fuse_readahead *helper, uint64_t node,
			 const struct sqfs_inode *inode, uint64_t index, uint64_t start,
			 uint64_t end)
{
	uint64_t begin = index << helper->server->fs->super.block_log;
	const uint8_t *data;
	ssize_t n = sqfs_read_block(helper->reader, inode, begin, &data);

	if (n <= 0 || !data)
		return;
	uint64_t limit = begin + (uint64_t)n;
	if (start > begin)
		readahead_store(helper->server, node, begin, data, (uint32_t)(start - begin));
	if (end < limit)
		readahead_store(helper->server, node, end, data + (end - begin),
				(uint32_t)(limit - end));
	if (limit < inode->size || inode->fragment == SQFS_NO_ENTRY)
		sqfs_block_spent(helper->reader);
}

static void store(struct fuse_readahead *helper, const struct readahead_job *job)
{
	unsigned log = helper->server->fs->super.block_log;
	uint64_t first = job->start >> log;
	uint64_t last = (job->end - 1) >> log;

	store_around(helper, job->node, &job->inode, first, job->start, job->end);
	if (last != first)
		store_around(helper, job->node, &job->inode, last, job->start, job->end);
	for (uint64_t index = first; index <= last; index++)
		readahead_blocks_note(&helper->sweep, job->node, &job->inode, log, index);
}

/*
 * The blocks behind the last READ, which may be farther by now than when the job was posted: what
 * was read meanwhile would be decompressed for nobody.
 */
static void go_ahead(struct fuse_readahead *helper, const struct readahead_job *job)
{
	uint64_t done = job->end;

	for (int i = 0; i < AHEAD_BLOCKS; i++) {
		pthread_mutex_lock(&helper->lock);
		uint64_t position = stream_of(helper, job->node)->end;
		pthread_mutex_unlock(&helper->lock);
		if (position < done)
			position = done;
		ssize_t n = sqfs_prefetch(helper->reader, &job->inode, position);
		if (n <= 0)
			break;
		done = position + (uint64_t)n;
	}
}

static void run(struct fuse_readahead *helper, const struct readahead_job *job)
{
	switch (job->kind) {
	case JOB_STORE:
		store(helper, job);
		break;
	case JOB_AHEAD:
		go_ahead(helper, job);
		break;
	case JOB_FRAGMENT:
		sqfs_prefetch_fragment(helper->reader, job->fragment);
		break;
	case JOB_FILES:
		readahead_files_go_ahead(helper, &job->inode);
		break;
	}
}

/*
 * Stores a block of which nothing was asked for: an empty range. Both forms of it in memory would be
 * too much for what may never be wanted; the packed one goes, of many blocks at once, because the
 * kernel has all processors empty their lists of pages for it.
 */
static void sweep_block(struct fuse_readahead *helper, uint64_t index)
{
	struct readahead_blocks *sweep = &helper->sweep;
	unsigned log = helper->server->fs->super.block_log;
	uint64_t begin = index << log;

	store_around(helper, sweep->node, &sweep->inode, index, begin, begin);
	if ((index + 1) % SWEEP_FORGET == 0 || index + 1 == sweep->blocks)
		sqfs_forget_blocks(helper->reader, &sweep->inode,
				   (index - index % SWEEP_FORGET) << log, begin);
}

void *readahead_main(void *argument)
{
	struct fuse_readahead *helper = argument;
	struct readahead_blocks *sweep = &helper->sweep;
	bool may_sweep = helper->server->processors > 1;
	enum patience patience = WAIT_A_WHILE;
	struct readahead_job job;
	uint64_t index;

	helper->reader = sqfs_reader_share(helper->server->fs, helper->server->cache);
	while (helper->reader) { /* until the process ends */
		if (take(helper, patience, &job))
			run(helper, &job);
		patience = WAIT_A_WHILE;
		if (learn_goes_on(helper->server))
			continue;
		patience = may_sweep && readahead_blocks_next(sweep, &index) ? WAIT_NOT : WAIT;
		if (patience == WAIT_NOT)
			sweep_block(helper, index);
	}
	return NULL;
}
