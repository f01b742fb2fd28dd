/* READ, and what the helper is told after it. */
#include <errno.h>

#include "base/clock.h"
#include "fuse/operations.h"

/*
 * Files are mostly read in the order in which they were packed, and so are the fragments that hold
 * the small ones: whoever goes from one to the next will want the one after that.
 */
static void expect_fragment(struct fuse_server *server, uint32_t fragment)
{
	uint32_t last = atomic_exchange_explicit(&server->fragment, fragment, memory_order_relaxed);
	struct readahead_job job = { .kind = JOB_FRAGMENT, .fragment = fragment + 1 };

	if (fragment == last + 1)
		readahead_post(&server->helper, &job);
}

/* After a READ of [start, end): the rest of the blocks it touched, or the blocks that follow. */
static void expect_more(struct fuse_worker *worker, const struct fuse_request *request,
			const struct sqfs_inode *inode, uint64_t start, uint64_t end)
{
	struct fuse_server *server = worker->server;
	uint64_t mask = server->fs->super.block_size - 1;
	struct readahead_job job = {
		.kind = JOB_STORE,
		.node = request->header->nodeid,
		.inode = *inode,
		.start = start,
		.end = end,
	};

	if (!server->helper.running)
		return;
	if ((start & mask) || ((end & mask) && end < inode->size)) {
		readahead_post(&server->helper, &job);
	} else if (end < inode->size && server->processors > 1) {
		job.kind = JOB_AHEAD;
		readahead_post(&server->helper, &job);
	}
	if (end < inode->size || server->processors == 1)
		return;
	if ((end & mask) && inode->fragment != SQFS_NO_ENTRY)
		expect_fragment(server, inode->fragment);
	/* What is stored is not asked for, and so not learned. */
	if (!server->list && !atomic_load_explicit(&server->settling.done, memory_order_relaxed))
		return;
	if (readahead_files_in_order(&server->helper.files, inode)) {
		job.kind = JOB_FILES;
		readahead_post(&server->helper, &job);
	}
}

/* Within one block the answer leaves straight from the cache. */
static ssize_t find_data(struct fuse_worker *worker, const struct sqfs_inode *inode,
			 uint64_t position, size_t size, const uint8_t **data)
{
	uint64_t mask = worker->server->fs->super.block_size - 1;

	*data = NULL;
	if ((position & mask) + size <= mask + 1) {
		ssize_t n = sqfs_read_block(worker->reader, inode, position, data);
		if (n < 0 || *data)
			return n < (ssize_t)size ? n : (ssize_t)size;
	}
	*data = worker->reply;
	return sqfs_pread(worker->reader, inode, worker->reply, size, position);
}

/* The kernel has all of a full block now and will not ask again. */
static bool is_spent(const struct fuse_server *server, const struct sqfs_inode *inode,
		     uint64_t start, uint64_t end)
{
	uint64_t mask = server->fs->super.block_size - 1;
	bool tail = inode->fragment != SQFS_NO_ENTRY && (start | mask) >= inode->size;

	return !tail && (start & mask) == 0 && ((end & mask) == 0 || end == inode->size);
}

/* Before it is answered: whoever is about to have the same block need not. */
static void note_read(struct fuse_server *server, const struct sqfs_inode *inode, uint64_t start,
		      uint64_t end)
{
	struct fuse_settling *settling = &server->settling;

	if (atomic_load_explicit(&settling->done, memory_order_relaxed))
		return;
	atomic_store_explicit(&settling->last_read,
			      (unsigned)(clock_milliseconds() - settling->began),
			      memory_order_relaxed);
	reads_note(&server->reads, inode->number, start, end);
	/* The helper stores the rest of a block; without it a part is not all of it. */
	if (server->helper.running || is_spent(server, inode, start, end))
		prefetch_note(&server->prefetch, inode->number, start, end);
}

/*
 * Of a file of which there is a copy nothing is decompressed, and nothing stored ahead that a prefetch does not:
 * a copy is read as quickly as what is stored.
 */
static ssize_t find(struct fuse_worker *worker, const struct sqfs_inode *inode, uint64_t position,
		    size_t size, const uint8_t **data, bool *is_copy)
{
	ssize_t n = kept_read(worker->server->kept, inode->number, worker->reply, size, position);

	*is_copy = n > 0;
	*data = worker->reply;
	return *is_copy ? n : find_data(worker, inode, position, size, data);
}

void fuse_read_file(struct fuse_worker *worker, const struct fuse_request *request)
{
	const struct fuse_read_in *in = request->body;
	struct sqfs_inode inode;
	const uint8_t *data = NULL;
	bool is_copy = false;
	ssize_t n = 0;

	size_t size = in->size;
	int error = fuse_read_node(worker, request->header->nodeid, &inode);
	if (!error && inode.type != SQFS_FILE)
		error = EIO;
	if (!error && in->offset < inode.size) {
		if (size > inode.size - in->offset)
			size = (size_t)(inode.size - in->offset);
		/* To the kernel, a short answer is the end of the file. */
		if (size > FUSE_REPLY_MAX)
			error = EIO;
		else if (size)
			note_read(worker->server, &inode, in->offset, in->offset + size);
		if (!error)
			n = find(worker, &inode, in->offset, size, &data, &is_copy);
		if (n < 0)
			error = fuse_file_errno(worker, &inode, (int)n);
	}
	fuse_answer(worker, request, error, data, (size_t)n);
	if (error || n == 0 || is_copy)
		return;
	uint64_t end = in->offset + (uint64_t)n;
	expect_more(worker, request, &inode, in->offset, end);
	if (is_spent(worker->server, &inode, in->offset, end))
		sqfs_block_spent(worker->reader);
}
