/*
 * A read-only FUSE server for one image, straight on /dev/fuse.
 *
 * Stateless: a node id is the inode's reference in the image plus 2 (the root is FUSE_ROOT_ID), so
 * FORGET has nothing to forget and the only things that change are caches. The kernel is told to
 * cache everything for ever.
 *
 * The first thread serves alone, and at once. When the load is worth it, it starts more of them
 * (threads.h) and a helper (readahead.h) for what no request waits for.
 */
#ifndef FUSE_SESSION_H
#define FUSE_SESSION_H

#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fuse/kept.h"
#include "fuse/readahead.h"
#include "fuse/log.h"
#include "fuse/learn.h"
#include "fuse/prefetch.h"
#include "fuse/reads.h"
#include "squashfs/squashfs.h"

/* Threads that answer requests: one for each processor up to this, or as many as are asked for. */
#define FUSE_THREADS_DEFAULT 8
#define FUSE_THREADS_MAX 64
/*
 * Largest answer to one READ or READDIR, bytes: 256 pages of 4 KiB, fewer where they are larger. The
 * kernel asks for no more: fuse_max_pages says so, and where INIT has no such field, which would
 * leave it at 32 pages of any size, the mount itself (FUSE_MAX_READ).
 */
#define FUSE_REPLY_MAX 1048576u
/* The option for every mount; mount(2) and fusermount3 know it. */
#define FUSE_MAX_READ "max_read=1048576"

/* Requests of a read-only mount are names and small structures; the kernel wants 8 KiB at least. */
#define FUSE_REQUEST_MAX (16u << 10)

/* Which thread waits for requests. */
struct fuse_turn {
	pthread_mutex_t lock;
	pthread_cond_t passed;
	unsigned waiting; /* threads */
	bool taken;
};

struct fuse_server {
	int device; /* /dev/fuse, mounted */
	unsigned processors;
	unsigned threads; /* that answer requests when there are many */
	const struct sqfs *fs;
	struct sqfs_cache *cache;
	/* Owners that the user namespace does not map are shown as the caller. */
	bool one_owner;
	uid_t uid;
	gid_t gid;
	/* negotiated, before there is a second thread */
	bool no_open;
	bool no_opendir;
	unsigned load; /* what was asked for so far, until there are more threads */
	bool grown;
	_Atomic uint32_t fragment; /* that was read last */
	struct fuse_readahead helper;
	struct fuse_log log;
	const struct fuse_kept *kept; /* and one without a number */
	const uint8_t *list; /* a start list (start_list.h), or NULL */
	size_t list_size;
	struct fuse_prefetch prefetch;
	struct fuse_settling settling;
	bool recording; /* every READ is to be exactly what was wanted */
	struct fuse_reads reads;
	pthread_mutex_t end; /* whoever has it ends the process */
	struct fuse_turn turn;
	/* Called once when the kernel's INIT has been answered (0) or refused (errno). */
	void (*ready)(struct fuse_server *server, int error);
	int ready_socket;
};

/* One thread that answers. */
struct fuse_worker {
	struct fuse_server *server;
	bool turn; /* it is its turn to wait for requests */
	struct sqfs_reader *reader;
	_Alignas(8) uint8_t request[FUSE_REQUEST_MAX];
	uint8_t *reply; /* FUSE_REPLY_MAX bytes for answers that are put together */
};

/* A request: its header and what follows. */
struct fuse_request {
	const struct fuse_in_header *header;
	const void *body;
	size_t body_size;
};

/* How many pages of this size an answer has room for. */
unsigned fuse_max_pages(unsigned page_size);

/* The kernel's name for an inode. */
uint64_t fuse_node_of(const struct fuse_server *server, uint64_t ref);

/*
 * Sends an answer: error 0 and `size` bytes, or a positive errno. Returns 0, or the errno of an answer that was
 * not taken. But for INIT that is nobody's to handle. ENOENT: the caller was interrupted and waits no more.
 * ENODEV: unmounted, which the next read tells. What the kernel cannot use, it answers itself, by EIO.
 */
int fuse_answer(struct fuse_worker *worker, const struct fuse_request *request, int error,
		const void *data, size_t size);

/* Ends the server, after fuse_work: what is left to be written is, once, whichever thread it is. */
_Noreturn void fuse_server_end(struct fuse_server *server, int error);

/* Readers of a server at most, for the size of its cache: its threads', the helper's and those of a prefetch. */
#define FUSE_READERS(threads) ((threads) + 1 + PREFETCH_THREADS_MAX)

#endif
