/* What the parts of the extraction share; not for users of extract.h. */
#ifndef SQUASHFS_EXTRACT_WORK_H
#define SQUASHFS_EXTRACT_WORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "squashfs/extract.h"

/* The first failure in the order of the image, whichever thread met with it. */
struct extract_failure {
	int error;
	int system_error;
	char fault[SQFS_FAULT_MAX];
	char path[PATH_MAX];
};

/* What one thread needs to make entries. */
struct extractor {
	struct extract_queue *queue; /* of a thread that takes jobs from it */
	struct sqfs_reader *reader;
	const struct extract_options *options;
	const struct stat *made; /* a new file in the directory, asked for with mode 0777 */
	char *attribute; /* room for a value; NULL until there is one */
	uint64_t bytes;
	atomic_uint_least64_t *left_out; /* by kind, of all threads */
	/* when a function returned -1 */
	int error;
	int system_error;
};

/* All of these return 0, or -1 with the extractor's error set. */
int extract_image_failure(struct extractor *extractor, int error);
int extract_system_failure(struct extractor *extractor);
int extract_check_interrupted(struct extractor *extractor);

/* Makes `name`, which is no directory, in `dir`. */
int extract_entry(struct extractor *extractor, int dir, const char *name,
		  const struct sqfs_inode *inode);
/* Opens below `dir` without following anything. Returns a descriptor, or -1 and errno. */
int extract_open(int dir, const char *name, int flags, mode_t mode);
/* Whether a file does not belong by itself to whom it should. */
bool extract_wants_owner(const struct extractor *extractor, const struct sqfs_inode *inode);
/*
 * Takes out of an inode what nobody asked for, so that nothing behind this can make it. Counts that
 * if `first`, so once for each inode. Returns whether something is left to be made.
 */
bool extract_filter(struct extractor *extractor, struct sqfs_inode *inode, bool first);
/* An empty file that extract_file is going to open instead of making it. */
int extract_placeholder(struct extractor *extractor, int dir, const char *name);
/* Returns a descriptor, or -1. */
int extract_open_file(struct extractor *extractor, int dir, const char *name,
		      const struct sqfs_inode *inode, bool made);
/* Writes the blocks of [start, end), which begins with one. */
int extract_contents(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		     uint64_t start, uint64_t end);
/* Closes the file, complete by now, in any case. */
int extract_close_file(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		       int result);
int extract_attributes(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		       bool set_owner, bool set_mode);

/* A directory for as long as entries are made in it. */
struct extract_dir {
	int fd;
	atomic_uint users; /* the walk, and jobs */
	char path[]; /* in the image */
};

#define JOB_FILES 16

/* A file of which several jobs write a part each; the last of them completes it. */
struct extract_big {
	int fd;
	atomic_uint users; /* the walk while it makes jobs, and those */
	struct sqfs_inode inode;
};

/* Some entries of one directory, or a part of one big file. */
struct extract_job {
	uint64_t number; /* in the order of the image */
	bool done; /* its place is free */
	struct extract_dir *dir;
	struct extract_big *big; /* or NULL; its name is the one of the first file */
	uint64_t start; /* of the part */
	uint64_t end;
	uint64_t bytes;
	size_t count;
	struct {
		struct sqfs_inode inode;
		bool made; /* there is a placeholder */
		char name[SQFS_NAME_MAX + 1];
	} files[JOB_FILES];
};

#define QUEUE_JOBS 32
#define EXTRACT_THREADS_MAX 16

struct extract_queue {
	pthread_mutex_t lock;
	pthread_cond_t posted;
	pthread_cond_t finished;
	uint64_t first; /* jobs are posted at `next`, taken at `first`, both modulo the room */
	uint64_t next;
	uint64_t weight; /* of all that was posted */
	bool closed; /* nothing more will be posted */
	_Atomic uint64_t limit; /* no job from here on is worth starting: an earlier one failed */
	struct extract_failure failure;
	struct sqfs_cache *cache; /* of all threads, when there are several */
	struct sqfs_reader *shared; /* the walk's own on it */
	bool grown; /* threads were started, or could not be */
	size_t threads;
	pthread_t ids[EXTRACT_THREADS_MAX];
	struct extractor own; /* of the walk, which works too when it would have to wait */
	struct extractor workers[EXTRACT_THREADS_MAX];
	struct extract_job jobs[QUEUE_JOBS];
};

void extract_queue_init(struct extract_queue *queue, const struct extractor *own);
/* An empty job to fill. */
struct extract_job *extract_queue_place(struct extract_queue *queue);
void extract_queue_post(struct extract_queue *queue);
/* Something failed that comes behind all that was posted. */
void extract_queue_fail(struct extract_queue *queue, const struct extractor *extractor,
			const char *path);
/* What comes next is not worth making. */
static inline bool extract_queue_failed(struct extract_queue *queue)
{
	return atomic_load_explicit(&queue->limit, memory_order_relaxed) != UINT64_MAX;
}
/* The last one to call it completes the file, unless something failed. */
int extract_big_release(struct extractor *extractor, struct extract_queue *queue,
			struct extract_big *big);
/* Returns when every job is done. 0, or -1 and the queue's failure is set. */
int extract_queue_finish(struct extract_queue *queue);

void extract_dir_release(struct extract_dir *dir);

#endif
