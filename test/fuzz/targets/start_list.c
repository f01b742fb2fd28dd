/*
 * Start lists, which anyone can make: what a bundle's manifest or the file of a home says that a start reads.
 * An input is a list, and behind the version as many bytes of one as it likes.
 *
 * The runs are held against a second reader of docs/format.md; the blocks that are made of them are each once,
 * and as many as may be had; what is written of the runs is a list that has them; and a file that somebody
 * wrote for a learned list is taken as a whole or not at all.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cache/starts.c" /* for how a file is read */
#include "fuse/prefetch_blocks.h"
#include "fuse/fuse_mount.h"
#include "target.h"

/* A number as the format has it; false where there is none of 64 bits. */
static bool second_number(const uint8_t **at, const uint8_t *end, unsigned __int128 *value)
{
	unsigned bytes = 0;

	*value = 0;
	for (; *at < end && bytes < 10; bytes++) {
		uint8_t byte = *(*at)++;
		*value += (unsigned __int128)(byte % 128) << 7 * bytes;
		if (byte < 128)
			return *value >> 64 == 0;
	}
	return false;
}

static __int128 zigzag(unsigned __int128 value)
{
	return value % 2 ? -(__int128)((value + 1) / 2) : (__int128)(value / 2);
}

/* The runs of a list, by another way to the same format. Returns how many. */
static size_t second_reader(const uint8_t *data, size_t size, struct start_run *runs)
{
	const uint8_t *at = data + 1, *end = data + size;
	__int128 number = 0, behind = 0;
	size_t count = 0;

	if (size == 0 || size > START_LIST_BYTES || data[0] != 1)
		return 0;
	while (count < START_LIST_RUNS) {
		unsigned __int128 step, place, pages;
		if (!second_number(&at, end, &step) || !second_number(&at, end, &place) ||
		    !second_number(&at, end, &pages))
			break;
		__int128 of = number + zigzag(step);
		__int128 first = zigzag(place) + (of == number ? behind : 0);
		if (of < 1 || of > UINT32_MAX || first < 0 || pages < 1 ||
		    first + (__int128)pages > (__int128)START_LIST_PAGES_MOST)
			break;
		runs[count++] =
			(struct start_run){ (uint64_t)first, (uint64_t)pages, (uint32_t)of };
		number = of;
		behind = first + (__int128)pages;
	}
	return count;
}

static size_t first_reader(const uint8_t *data, size_t size, struct start_run *runs)
{
	struct start_list list;
	size_t count = 0;

	start_list_open(&list, data, size);
	while (start_list_next(&list, &runs[count]))
		if (++count == START_LIST_RUNS)
			break;
	struct start_run more;
	require(count < START_LIST_RUNS || !start_list_next(&list, &more));
	return count;
}

static bool same(const struct start_run *a, const struct start_run *b)
{
	return a->number == b->number && a->first == b->first && a->pages == b->pages;
}

/* What is written of the runs, read again, names the same pages in the same order. */
static void check_written(const struct start_run *runs, size_t count)
{
	static uint8_t bytes[START_LIST_BYTES];
	static struct start_run again[START_LIST_RUNS];
	size_t size = start_list_write(runs, count, bytes);

	require(size > 0 && size <= START_LIST_BYTES);
	size_t got = first_reader(bytes, size, again);
	require(got <= count);
	for (size_t i = 0, at = 0; i < got; i++) {
		struct start_run joined = runs[at++];
		while (at < count && runs[at].number == joined.number &&
		       runs[at].first == joined.first + joined.pages)
			joined.pages += runs[at++].pages;
		require(same(&again[i], &joined));
	}
}

static void check_blocks(const uint8_t *data, size_t size)
{
	static const struct fuse_kept kept[] = { { 3, KEPT_BOUND }, { 0, 0 } };
	static struct sqfs fs;
	struct fuse_server server = { .fs = &fs, .kept = kept };
	struct fuse_prefetch *prefetch = &server.prefetch;

	const struct fuse_service service = {
		.list = data,
		.list_size = size,
		.entry = size > 1 ? data[size - 2] % 8 : 0,
		.entry_size = size > 2 ? (uint64_t)data[size - 3] << data[size - 2] % 32 : 0,
	};

	fs.super.block_log = 12 + (size ? data[size - 1] % 9 : 0);
	prefetch->server = &server;
	if (prefetch_list_blocks(prefetch, &service)) {
		require(prefetch->count > 0);
		require((uint64_t)(prefetch->count - 1) << fs.super.block_log <= UINT64_C(512)
											 << 20);
		for (unsigned i = 0; i < prefetch->count; i++) {
			const struct prefetch_block *block = &prefetch->blocks[i];
			require(block->file->number != 0 && block->file->number != 3);
			require(*prefetch_find_place(prefetch, block->file, block->index) == i + 1);
		}
	}
	free(prefetch->files);
	free(prefetch->blocks);
	free(prefetch->places);
}

/* As the file of a home: these bytes, and then with a header that says the truth of them. */
static void check_file(const uint8_t *data, size_t size)
{
	static uint8_t bytes[STARTS_HEADER + LIST_MOST];
	size_t found = 0;

	uint8_t *list = read_list(input_file(data, size), &found);
	require(!list == !found);
	require(found + STARTS_HEADER <= size || !list);
	free(list);
	if (size == 0 || size > LIST_MOST)
		return;
	starts_header(bytes, data, size);
	memcpy(bytes + STARTS_HEADER, data, size);
	list = read_list(input_file(bytes, STARTS_HEADER + size), &found);
	require(list && found == size && memcmp(list, data, size) == 0);
	free(list);
	require(!read_list(input_file(bytes, STARTS_HEADER + size - 1), &found));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct start_run runs[START_LIST_RUNS + 1], wanted[START_LIST_RUNS];
	size_t count = first_reader(data, size, runs);

	require(count == second_reader(data, size, wanted));
	for (size_t i = 0; i < count; i++)
		require(same(&runs[i], &wanted[i]));
	check_written(runs, count);
	check_blocks(data, size);
	check_file(data, size);
	return 0;
}
