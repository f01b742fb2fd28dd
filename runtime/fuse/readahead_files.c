#include "fuse/readahead_files.h"

#include "fuse/readahead.h"
#include "fuse/session.h"

/* A reader that skips some of them, links and folders, still reads in order. */
#define STEP_MAX 16u
#define WINDOW_LEAST 8u
#define WINDOW_MOST 96u
/* One file in so many is left for the reader to ask for. */
#define MARK_EVERY 16u
/* Larger ones are read ahead by the kernel, block by block. */
#define SIZE_MOST (256u << 10)

bool readahead_files_in_order(struct readahead_files *files, const struct sqfs_inode *inode)
{
	uint32_t number = inode->number;
	uint32_t step =
		number - atomic_exchange_explicit(&files->last, number, memory_order_relaxed);
	uint32_t first = atomic_load_explicit(&files->first, memory_order_relaxed);
	uint32_t limit = atomic_load_explicit(&files->limit, memory_order_relaxed);

	return (step && step <= STEP_MAX) || (number >= first && number < limit + STEP_MAX);
}

/* All of a file. False when the kernel does not know it, and so nobody is about to read it. */
static bool store_file(struct fuse_readahead *helper, const struct sqfs_inode *inode)
{
	uint64_t position = 0;

	while (position < inode->size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(helper->reader, inode, position, &data);
		if (n <= 0 || !data)
			return true; /* whoever reads it will be told, or gets the hole */
		if (!readahead_store(helper->server, fuse_node_of(helper->server, inode->ref),
				     position, data, (uint32_t)n))
			return false;
		position += (uint64_t)n;
		if (position < inode->size || inode->fragment == SQFS_NO_ENTRY)
			sqfs_block_spent(helper->reader);
	}
	return true;
}

/* The reader has passed it meanwhile. */
static bool is_late(struct readahead_files *files, uint32_t number)
{
	return atomic_load_explicit(&files->last, memory_order_relaxed) - number < WINDOW_MOST;
}

void readahead_files_go_ahead(struct fuse_readahead *helper, const struct sqfs_inode *inode)
{
	struct readahead_files *files = &helper->files;
	unsigned unknown = 0;

	if (inode->number >= files->first && inode->number < files->limit + STEP_MAX) {
		if (files->window < WINDOW_MOST)
			files->window *= 2;
	} else {
		files->at = *inode;
		files->window = WINDOW_LEAST;
		atomic_store_explicit(&files->first, inode->number, memory_order_relaxed);
	}
	/* It is behind what is being stored already. */
	if (files->at.number < inode->number)
		files->at = *inode;
	atomic_store_explicit(&files->limit, inode->number + files->window, memory_order_relaxed);
	/* Counted as well: the numbers need not be in the order of the table. */
	for (unsigned i = 0; i < WINDOW_MOST && unknown < STEP_MAX; i++) {
		uint64_t ref;
		if (files->at.number + 1 >= files->limit)
			break;
		if (sqfs_inode_after(helper->reader, &files->at, &ref) ||
		    sqfs_inode_read(helper->reader, ref, &files->at))
			break;
		if (files->at.type == SQFS_FILE && files->at.size <= SIZE_MOST &&
		    files->at.number % MARK_EVERY && !is_late(files, files->at.number) &&
		    !store_file(helper, &files->at))
			unknown++;
	}
}
