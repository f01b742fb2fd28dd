/*
 * Jobs of an extraction, in the order of the image, and the threads that do them.
 *
 * The walk posts jobs. A small image stays below the weight from which threads are started, and
 * the walk does all of them itself at the end; it also does one whenever it would have to wait for
 * room. A failure stops what comes behind it and nothing before it, so that the one that is
 * reported is the first in the order of the image whatever the threads did.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "squashfs/extract_work.h"
#include "squashfs/reader.h"

#define WEIGHT_ENOUGH (4u << 20) /* bytes from which threads are worth starting */
#define WEIGHT_ENTRY (16u << 10) /* what making an entry costs, in bytes of contents */
#define STACK_BYTES (256u << 10)
#define CACHE_BYTES (16u << 20)

void extract_queue_init(struct extract_queue *queue, const struct extractor *own)
{
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->posted, NULL);
	pthread_cond_init(&queue->finished, NULL);
	queue->own = *own;
	atomic_store(&queue->limit, UINT64_MAX);
	for (size_t i = 0; i < QUEUE_JOBS; i++)
		queue->jobs[i].done = true;
}

void extract_dir_release(struct extract_dir *dir)
{
	if (atomic_fetch_sub(&dir->users, 1) > 1)
		return;
	close(dir->fd);
	free(dir);
}

static void note_failure(struct extract_queue *queue, uint64_t number,
			 const struct extractor *extractor, const char *dir, const char *name)
{
	struct extract_failure *failure = &queue->failure;

	pthread_mutex_lock(&queue->lock);
	if (number < queue->limit) {
		queue->limit = number;
		failure->error = extractor->error;
		failure->system_error = extractor->system_error;
		strcpy(failure->fault, sqfs_fault(extractor->reader));
		/* The walk has made sure that the path has room. */
		strcpy(failure->path, dir);
		if (*dir && name)
			strcat(failure->path, "/");
		if (name)
			strcat(failure->path, name);
	}
	pthread_mutex_unlock(&queue->lock);
}

void extract_queue_fail(struct extract_queue *queue, const struct extractor *extractor,
			const char *path)
{
	note_failure(queue, queue->next, extractor, path, NULL);
}

int extract_big_release(struct extractor *extractor, struct extract_queue *queue,
			struct extract_big *big)
{
	if (atomic_fetch_sub(&big->users, 1) > 1)
		return 0;
	bool whole = !extract_queue_failed(queue);
	int result = extract_close_file(extractor, big->fd, &big->inode, whole ? 0 : -1);
	free(big);
	return whole ? result : 0;
}

static int write_part(struct extract_queue *queue, struct extractor *extractor,
		      struct extract_job *job)
{
	struct extract_big *big = job->big;
	int result = 0;

	if (job->number < atomic_load(&queue->limit))
		result = extract_contents(extractor, big->fd, &big->inode, job->start, job->end);
	if (result < 0) /* before the last of them looks */
		note_failure(queue, job->number, extractor, job->dir->path, job->files[0].name);
	return extract_big_release(extractor, queue, big);
}

static int make_file(struct extractor *extractor, struct extract_job *job, size_t at)
{
	const struct sqfs_inode *inode = &job->files[at].inode;
	const char *name = job->files[at].name;

	if (!job->files[at].made)
		return extract_entry(extractor, job->dir->fd, name, inode);
	int fd = extract_open_file(extractor, job->dir->fd, name, inode, true);
	if (fd < 0)
		return -1;
	return extract_close_file(extractor, fd, inode,
				  extract_contents(extractor, fd, inode, 0, inode->size));
}

static void run_job(struct extract_queue *queue, struct extractor *extractor,
		    struct extract_job *job)
{
	int result = 0;
	size_t at = 0;

	if (job->big)
		result = write_part(queue, extractor, job);
	while (!job->big && result == 0 && at < job->count &&
	       job->number < atomic_load_explicit(&queue->limit, memory_order_relaxed)) {
		result = extract_check_interrupted(extractor);
		if (result == 0)
			result = make_file(extractor, job, at);
		if (result == 0)
			at++;
	}
	if (result < 0)
		note_failure(queue, job->number, extractor, job->dir->path, job->files[at].name);
	extract_dir_release(job->dir);
}

/* Does the next job, if there is one. Called with the lock, which it gives up meanwhile. */
static bool do_one(struct extract_queue *queue, struct extractor *extractor)
{
	if (queue->first == queue->next)
		return false;
	struct extract_job *job = &queue->jobs[queue->first++ % QUEUE_JOBS];
	pthread_mutex_unlock(&queue->lock);
	run_job(queue, extractor, job);
	pthread_mutex_lock(&queue->lock);
	job->done = true;
	pthread_cond_signal(&queue->finished);
	return true;
}

static void *worker_main(void *argument)
{
	struct extractor *extractor = argument;
	struct extract_queue *queue = extractor->queue;

	pthread_mutex_lock(&queue->lock);
	while (do_one(queue, extractor) || !queue->closed)
		if (queue->first == queue->next && !queue->closed)
			pthread_cond_wait(&queue->posted, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static size_t count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static bool start_worker(struct extract_queue *queue, const pthread_attr_t *attributes)
{
	struct extractor *extractor = &queue->workers[queue->threads];

	extractor->queue = queue;
	extractor->options = queue->own.options;
	extractor->made = queue->own.made;
	extractor->left_out = queue->own.left_out;
	extractor->reader = sqfs_reader_share(sqfs_reader_fs(queue->own.reader), queue->cache);
	if (extractor->reader &&
	    pthread_create(&queue->ids[queue->threads], attributes, worker_main, extractor) == 0) {
		queue->threads++;
		return true;
	}
	sqfs_reader_free(extractor->reader);
	return false;
}

/*
 * One thread less than there are processors: the walk works too. What cannot be started, for want
 * of memory or because of a limit, is done without.
 */
static void grow(struct extract_queue *queue)
{
	const struct sqfs *fs = sqfs_reader_fs(queue->own.reader);
	size_t wanted = count_processors() - 1;
	pthread_attr_t attributes;

	queue->grown = true;
	if (wanted > EXTRACT_THREADS_MAX)
		wanted = EXTRACT_THREADS_MAX;
	if (wanted)
		queue->cache = sqfs_cache_new(fs, CACHE_BYTES, (unsigned)wanted + 1);
	if (queue->cache)
		queue->shared = sqfs_reader_share(fs, queue->cache);
	if (!queue->shared)
		return;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (queue->threads < wanted && start_worker(queue, &attributes))
		;
	pthread_attr_destroy(&attributes);
	queue->own.reader = queue->shared;
}

struct extract_job *extract_queue_place(struct extract_queue *queue)
{
	struct extract_job *job = &queue->jobs[queue->next % QUEUE_JOBS];

	pthread_mutex_lock(&queue->lock);
	while (!job->done)
		if (!do_one(queue, &queue->own))
			pthread_cond_wait(&queue->finished, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
	job->big = NULL;
	job->bytes = 0;
	job->count = 0;
	return job;
}

void extract_queue_post(struct extract_queue *queue)
{
	struct extract_job *job = &queue->jobs[queue->next % QUEUE_JOBS];

	job->number = queue->next;
	job->done = false;
	queue->weight += job->bytes + job->count * WEIGHT_ENTRY;
	if (!queue->grown && queue->weight >= WEIGHT_ENOUGH)
		grow(queue);
	pthread_mutex_lock(&queue->lock);
	queue->next++;
	pthread_cond_signal(&queue->posted);
	pthread_mutex_unlock(&queue->lock);
}

int extract_queue_finish(struct extract_queue *queue)
{
	struct extractor *own = &queue->own;

	pthread_mutex_lock(&queue->lock);
	while (do_one(queue, own))
		;
	queue->closed = true;
	pthread_cond_broadcast(&queue->posted);
	pthread_mutex_unlock(&queue->lock);
	for (size_t i = 0; i < queue->threads; i++) {
		struct extractor *extractor = &queue->workers[i];
		pthread_join(queue->ids[i], NULL);
		own->bytes += extractor->bytes;
		sqfs_reader_free(extractor->reader);
		free(extractor->attribute);
	}
	sqfs_reader_free(queue->shared);
	sqfs_cache_free(queue->cache);
	return queue->limit == UINT64_MAX ? 0 : -1;
}
