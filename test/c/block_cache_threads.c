/*
 * Readers on several threads that share one cache, against one reader by itself.
 *
 *   cache-threads IMAGE THREADS CACHE_BYTES spend|keep
 *
 * Every thread reads every file, each from another place in the order, by another call and in
 * other pieces; some blocks are fetched ahead, and with "spend" half of them are given up at once.
 * What they see must be what the one reader saw. Prints files, blocks in them, and blocks decompressed. Built
 * with ThreadSanitizer, any race ends the run with a report.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "squashfs/squashfs.h"

#define FILES_MAX 100000
#define DIRECTORIES_MAX 20000

static struct sqfs fs;
static struct sqfs_cache *cache;
static struct sqfs_inode *files;
static uint64_t *sums;
static size_t file_count;
static bool spend;

static void fail(const char *what, const char *fault)
{
	fprintf(stderr, "%s: %s\n", what, fault);
	exit(1);
}

static void list_files(struct sqfs_reader *reader)
{
	uint64_t *pending = calloc(DIRECTORIES_MAX, sizeof *pending);
	size_t count = 0;

	files = calloc(FILES_MAX, sizeof *files);
	sums = calloc(FILES_MAX, sizeof *sums);
	pending[count++] = fs.super.root_ref;
	while (count) {
		struct sqfs_inode dir, inode;
		struct sqfs_entry entry;
		uint64_t cookie = 0;
		if (sqfs_inode_read(reader, pending[--count], &dir))
			fail("inode", sqfs_fault(reader));
		while (sqfs_dir_next(reader, &dir, cookie, &entry) == 1) {
			cookie = entry.next;
			if (sqfs_inode_read(reader, entry.ref, &inode))
				fail("inode", sqfs_fault(reader));
			if (inode.type == SQFS_DIR && count < DIRECTORIES_MAX)
				pending[count++] = entry.ref;
			if (inode.type == SQFS_FILE && file_count < FILES_MAX)
				files[file_count++] = inode;
		}
	}
	free(pending);
}

static uint64_t add(uint64_t sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i += 61)
		sum = (sum ^ (data ? data[i] : 0)) * UINT64_C(0x100000001b3);
	return sum;
}

/* By whole stretches, so that sums do not depend on the size of a buffer. */
static uint64_t sum_of(struct sqfs_reader *reader, const struct sqfs_inode *inode, unsigned way)
{
	static _Thread_local uint8_t buffer[1 << 20];
	uint64_t position = 0, sum = 1469598103934665603u;

	while (position < inode->size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(reader, inode, position, &data);
		if (n <= 0)
			fail("read", sqfs_fault(reader));
		sum = add(sum, data, (size_t)n);
		if (way % 2 && spend)
			sqfs_block_spent(reader);
		if (way % 3 == 0)
			sqfs_prefetch(reader, inode, position + (uint64_t)n);
		if (way % 4 == 3 && sqfs_pread(reader, inode, buffer, (size_t)n, position) != n)
			fail("pread", sqfs_fault(reader));
		position += (uint64_t)n;
	}
	return sum;
}

static void *read_all(void *argument)
{
	unsigned way = (unsigned)(uintptr_t)argument;
	struct sqfs_reader *reader = sqfs_reader_share(&fs, cache);

	for (size_t i = 0; i < file_count; i++) {
		/* Neighbours for most of the time, so that they want the same blocks at once. */
		size_t at = (i + way * 3) % file_count;
		if (sum_of(reader, &files[at], way) != sums[at])
			fail("contents", "differ");
	}
	sqfs_reader_free(reader);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[16];
	char fault[SQFS_FAULT_MAX];
	uint64_t blocks = 0;

	if (argc != 5)
		return 2;
	int fd = open(argv[1], O_RDONLY);
	unsigned count = (unsigned)atoi(argv[2]);
	spend = strcmp(argv[4], "spend") == 0;
	if (fd < 0 || count > 16 || sqfs_open(&fs, fd, 0, 0, fault))
		fail(argv[1], fault);
	struct sqfs_reader *reader = sqfs_reader_new(&fs, 0);
	list_files(reader);
	for (size_t i = 0; i < file_count; i++) {
		sums[i] = sum_of(reader, &files[i], 1);
		blocks += (files[i].size + fs.super.block_size - 1) >> fs.super.block_log;
	}
	sqfs_reader_free(reader);
	cache = sqfs_cache_new(&fs, strtoull(argv[3], NULL, 10), count);
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, read_all, (void *)(uintptr_t)i))
			fail("thread", "cannot be started");
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%zu files, %llu blocks, %llu loads\n", file_count, (unsigned long long)blocks,
	       (unsigned long long)sqfs_cache_loads(cache));
	sqfs_cache_free(cache);
	free(files);
	free(sums);
	return 0;
}
