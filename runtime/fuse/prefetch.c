#include "fuse/prefetch.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "fuse/prefetch_blocks.h"
#include "fuse/readahead.h"
#include "fuse/fuse_mount.h"
#include "fuse/threads.h"

/* Nice values that these threads stand behind the others. */
#define LESS_CLAIM 10

/* Blocks that one more thread is worth its start for. */
#define BLOCKS_WORTH 16u

/*
 * The kernel makes an inode when whoever looked it up goes on with the answer, which is at once, or on a busy machine much
 * later. Each wait is twice the one before: 1.6 seconds in all.
 */
#define RETRY_US 200u
#define RETRIES 13
/* For some file to be looked up; each time that none is, longer. */
#define PATIENCE_LEAST_US 20000
#define PATIENCE_MOST_US 5000000

void prefetch_note(struct fuse_prefetch *prefetch, uint32_t number, uint64_t start, uint64_t end)
{
	if (!prefetch_is_at_work(prefetch))
		return;
	unsigned log = prefetch->server->fs->super.block_log;
	struct prefetch_file *file = prefetch_find_file(prefetch, number);
	for (uint64_t index = start >> log; file->number && index <= (end - 1) >> log; index++) {
		uint32_t place = *prefetch_find_place(prefetch, file, index);
		if (place)
			atomic_store_explicit(&prefetch->blocks[place - 1].taken, true,
					      memory_order_relaxed);
	}
}

/* By whoever answers requests, who must not wait for a thread of a lower claim: without the lock. One
 * that is about to sleep may miss it, and looks again by itself. */
void prefetch_known(struct fuse_prefetch *prefetch, uint32_t number)
{
	if (!prefetch_is_at_work(prefetch))
		return;
	struct prefetch_file *file = prefetch_find_file(prefetch, number);
	if (file->number && !atomic_exchange(&file->known, true) &&
	    atomic_load(&prefetch->sleeping))
		pthread_cond_broadcast(&prefetch->changed);
}

static bool is_known(const struct prefetch_block *block)
{
	return atomic_load_explicit(&block->file->known, memory_order_acquire);
}

/* With the lock held. Returns false when nothing happened for so long. */
static bool wait_a_while(struct fuse_prefetch *prefetch, unsigned microseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)(microseconds % 1000000) * 1000;
	until.tv_sec += microseconds / 1000000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	atomic_fetch_add(&prefetch->sleeping, 1);
	int error = pthread_cond_timedwait(&prefetch->changed, &prefetch->lock, &until);
	atomic_fetch_sub(&prefetch->sleeping, 1);
	return error == 0;
}

/* The first of those aside whose file has become known. */
static struct prefetch_block *take_aside(struct fuse_prefetch *prefetch)
{
	for (unsigned i = 0; i < prefetch->aside_count; i++) {
		struct prefetch_block *block = prefetch->aside[i];
		if (!is_known(block))
			continue;
		prefetch->aside_count--;
		for (; i < prefetch->aside_count; i++)
			prefetch->aside[i] = prefetch->aside[i + 1];
		prefetch->patience = PATIENCE_LEAST_US;
		return block;
	}
	return NULL;
}

/* With the lock held, as what is aside. */
static struct prefetch_block *take_next(struct fuse_prefetch *prefetch)
{
	for (;;) {
		unsigned at = atomic_load(&prefetch->next);
		if (at >= prefetch->count)
			return NULL;
		atomic_store(&prefetch->next, at + 1);
		struct prefetch_block *block = &prefetch->blocks[at];
		if (!atomic_exchange_explicit(&block->taken, true, memory_order_relaxed))
			return block;
	}
}

/* This start does not want the files that were put aside: makes room for others, and in the end for none. */
static void give_up_some(struct fuse_prefetch *prefetch)
{
	unsigned dropped = prefetch->aside_count;

	if (prefetch->patience > PATIENCE_MOST_US)
		atomic_store(&prefetch->next, prefetch->count);
	else
		dropped = dropped < prefetch->most_aside ? 0 : (dropped + 1) / 2;
	prefetch->patience *= 2;
	prefetch->aside_count -= dropped;
	for (unsigned i = 0; i < prefetch->aside_count; i++)
		prefetch->aside[i] = prefetch->aside[i + dropped];
}

/* What is to be had next, or NULL: there is no more. */
static struct prefetch_block *take(struct fuse_prefetch *prefetch)
{
	struct prefetch_block *block;

	pthread_mutex_lock(&prefetch->lock);
	for (;;) {
		block = take_aside(prefetch);
		if (!block && prefetch->aside_count < prefetch->most_aside)
			block = take_next(prefetch);
		if (block || !prefetch->aside_count)
			break;
		if (wait_a_while(prefetch, prefetch->patience))
			continue;
		give_up_some(prefetch);
	}
	pthread_mutex_unlock(&prefetch->lock);
	return block;
}

static void put_aside(struct fuse_prefetch *prefetch, struct prefetch_block *block)
{
	pthread_mutex_lock(&prefetch->lock);
	if (prefetch->aside_count < PREFETCH_ASIDE)
		prefetch->aside[prefetch->aside_count++] = block;
	pthread_mutex_unlock(&prefetch->lock);
}

/* Puts a block into the page cache. One of a file that the kernel does not know after all waits as those of others do. */
static void put(struct fuse_prefetch *prefetch, struct prefetch_block *block, uint64_t node,
		uint64_t offset, const uint8_t *data, uint32_t size)
{
	for (unsigned tries = 0; tries < RETRIES; tries++) {
		if (readahead_store(prefetch->server, node, offset, data, size))
			return;
		pthread_mutex_lock(&prefetch->lock);
		wait_a_while(prefetch, RETRY_US << tries);
		pthread_mutex_unlock(&prefetch->lock);
	}
	atomic_store(&block->file->known, false);
	put_aside(prefetch, block);
}

static void store(struct fuse_prefetch *prefetch, struct sqfs_reader *reader,
		  const struct sqfs_inode *inode, struct prefetch_block *block, uint64_t begin)
{
	const uint8_t *data;
	ssize_t n = sqfs_read_block(reader, inode, begin, &data);

	if (n <= 0 || !data)
		return;
	put(prefetch, block, fuse_node_of(prefetch->server, inode->ref), begin, data, (uint32_t)n);
	if (begin + (uint64_t)n < inode->size || inode->fragment == SQFS_NO_ENTRY)
		sqfs_block_spent(reader);
}

/* Whether there is a copy of the file, which is stored then; `buffer` has room for a block. */
static bool store_copy(struct fuse_prefetch *prefetch, const struct sqfs_inode *inode,
		       struct prefetch_block *block, uint64_t begin, uint8_t *buffer)
{
	const struct fuse_server *server = prefetch->server;
	uint64_t left = inode->size - begin;
	size_t size = server->fs->super.block_size;
	ssize_t n = buffer ? kept_read(server->kept, inode->number, buffer,
				       left < size ? (size_t)left : size, begin) :
			     -1;

	if (n > 0)
		put(prefetch, block, fuse_node_of(server, inode->ref), begin, buffer, (uint32_t)n);
	return n > 0;
}

/* Finds the file of a block, unless it is the one of the last. False: there is no such file. */
static bool find_inode(struct sqfs_reader *reader, uint32_t number, struct sqfs_inode *inode)
{
	uint64_t ref;

	if (inode->number != number &&
	    (sqfs_inode_by_number(reader, number, &ref) || sqfs_inode_read(reader, ref, inode)))
		inode->number = 0;
	/* An export table may lead anywhere. */
	return inode->number == number && inode->type == SQFS_FILE;
}

static void have(struct fuse_prefetch *prefetch, struct sqfs_reader *reader,
		 struct sqfs_inode *inode, struct prefetch_block *block, uint8_t *buffer)
{
	uint64_t begin = (uint64_t)block->index << prefetch->server->fs->super.block_log;

	if (!find_inode(reader, block->file->number, inode) || begin >= inode->size)
		return;
	bool copy = kept_find(prefetch->server->kept, inode->number)->number != 0;
	if (!is_known(block)) {
		/* Of a copy there is nothing to be done before. */
		if (copy || sqfs_prefetch(reader, inode, begin) > 0)
			put_aside(prefetch, block);
	} else if (!copy || !store_copy(prefetch, inode, block, begin, buffer)) {
		store(prefetch, reader, inode, block, begin);
	}
}

static void lower_claim(struct fuse_prefetch *prefetch)
{
	/* Of this thread alone, whatever POSIX says. */
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + LESS_CLAIM);
	pthread_mutex_lock(&prefetch->lock);
	prefetch->ready++;
	pthread_cond_broadcast(&prefetch->changed);
	pthread_mutex_unlock(&prefetch->lock);
}

static void *prefetch_main(void *argument)
{
	struct fuse_prefetch *prefetch = argument;
	struct fuse_server *server = prefetch->server;
	struct sqfs_inode inode = { .number = 0 };
	struct prefetch_block *block;

	lower_claim(prefetch);
	struct sqfs_reader *reader = sqfs_reader_share(server->fs, server->cache);
	uint8_t *buffer = server->kept->number ? malloc(server->fs->super.block_size) : NULL;
	while (reader && (block = take(prefetch)))
		have(prefetch, reader, &inode, block, buffer);
	free(buffer);
	if (reader)
		sqfs_reader_free(reader);
	atomic_fetch_sub(&prefetch->threads, 1);
	return NULL;
}

/* As many as processors; for a few blocks one, which is there sooner than two would be. */
static unsigned choose_threads(unsigned processors, unsigned blocks)
{
	unsigned worth = 1 + blocks / BLOCKS_WORTH;
	unsigned most = processors < PREFETCH_THREADS_MAX ? processors : PREFETCH_THREADS_MAX;

	return worth < most ? worth : most;
}

void prefetch_start(struct fuse_server *server, const struct fuse_service *service, size_t aside)
{
	struct fuse_prefetch *prefetch = &server->prefetch;
	unsigned started = 0;

	prefetch->server = server;
	if (server->fs->super.export_table == SQFS_NO_TABLE ||
	    !prefetch_list_blocks(prefetch, service))
		return;
	unsigned wanted = choose_threads(server->processors, prefetch->count);
	pthread_mutex_init(&prefetch->lock, NULL);
	pthread_cond_init(&prefetch->changed, NULL);
	prefetch->most_aside = aside < PREFETCH_ASIDE ? (unsigned)aside : PREFETCH_ASIDE;
	prefetch->patience = PATIENCE_LEAST_US;
	atomic_store(&prefetch->threads, wanted);
	while (started < wanted && fuse_start_thread(prefetch_main, prefetch))
		started++;
	atomic_fetch_sub(&prefetch->threads, wanted - started);
	pthread_mutex_lock(&prefetch->lock);
	while (prefetch->ready < started)
		pthread_cond_wait(&prefetch->changed, &prefetch->lock);
	pthread_mutex_unlock(&prefetch->lock);
}
