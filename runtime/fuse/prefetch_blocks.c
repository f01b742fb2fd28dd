#include "fuse/prefetch_blocks.h"

#include <stdlib.h>

#include "fuse/session.h"

/* Contents that are worth having for one start, at most: what is stored displaces other pages. */
#define BYTES_MOST (UINT64_C(512) << 20)
#define BLOCKS_MOST 65536u

static size_t hash(uint64_t key)
{
	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

struct prefetch_file *prefetch_find_file(const struct fuse_prefetch *prefetch, uint32_t number)
{
	size_t at = hash(number) & prefetch->file_mask;

	while (prefetch->files[at].number && prefetch->files[at].number != number)
		at = (at + 1) & prefetch->file_mask;
	return &prefetch->files[at];
}

uint32_t *prefetch_find_place(const struct fuse_prefetch *prefetch,
			      const struct prefetch_file *file, uint64_t index)
{
	size_t at = hash((uint64_t)file->number << 32 ^ index) & prefetch->place_mask;

	for (;; at = (at + 1) & prefetch->place_mask) {
		uint32_t *place = &prefetch->places[at];
		const struct prefetch_block *block = &prefetch->blocks[*place - 1];
		if (!*place || (block->file == file && block->index == index))
			return place;
	}
}

static size_t power_above(size_t count)
{
	size_t power = 16;

	while (power < 2 * count)
		power *= 2;
	return power;
}

/* A new one is the last. */
static void note_block(struct fuse_prefetch *prefetch, struct prefetch_file *file, uint64_t index)
{
	uint32_t *place = prefetch_find_place(prefetch, file, index);

	if (*place)
		return;
	prefetch->blocks[prefetch->count].file = file;
	prefetch->blocks[prefetch->count].index = (uint32_t)index;
	*place = ++prefetch->count;
}

/* The server is not asked for it. */
static bool is_bound(const struct fuse_prefetch *prefetch, uint32_t number)
{
	const struct fuse_kept *kept = kept_find(prefetch->server->kept, number);

	return kept->number && kept->file == KEPT_BOUND;
}

/* Walks the blocks of all runs, as many as may be had: counts them, or with `note` notes them. */
static size_t walk(struct fuse_prefetch *prefetch, const uint8_t *bytes, size_t size, bool note)
{
	unsigned log = prefetch->server->fs->super.block_log;
	uint64_t most = BYTES_MOST >> log < BLOCKS_MOST ? BYTES_MOST >> log : BLOCKS_MOST;
	struct start_list list;
	struct start_run run;
	size_t count = 0;

	start_list_open(&list, bytes, size);
	while (start_list_next(&list, &run)) {
		if (is_bound(prefetch, run.number))
			continue;
		uint64_t index = run.first * START_LIST_PAGE >> log;
		uint64_t last = ((run.first + run.pages) * START_LIST_PAGE - 1) >> log;
		struct prefetch_file *file = note ? prefetch_find_file(prefetch, run.number) : NULL;
		for (; index <= last && last <= UINT32_MAX && count < most; index++, count++)
			if (note)
				note_block(prefetch, file, index);
	}
	return count;
}

static size_t note_files(struct fuse_prefetch *prefetch, const uint8_t *bytes, size_t size)
{
	struct start_list list;
	struct start_run run;
	size_t count = 0;

	start_list_open(&list, bytes, size);
	while (start_list_next(&list, &run))
		count++;
	size_t room = power_above(count);
	prefetch->files = count ? calloc(room, sizeof *prefetch->files) : NULL;
	if (!prefetch->files)
		return 0;
	prefetch->file_mask = room - 1;
	start_list_open(&list, bytes, size);
	while (start_list_next(&list, &run))
		prefetch_find_file(prefetch, run.number)->number = run.number;
	return count;
}

bool prefetch_list_blocks(struct fuse_prefetch *prefetch, const uint8_t *list, size_t size)
{
	if (!note_files(prefetch, list, size))
		return false;
	size_t count = walk(prefetch, list, size, false);
	size_t room = power_above(count);
	prefetch->blocks = calloc(count, sizeof *prefetch->blocks);
	prefetch->places = calloc(room, sizeof *prefetch->places);
	if (!count || !prefetch->blocks || !prefetch->places)
		return false;
	prefetch->place_mask = room - 1;
	walk(prefetch, list, size, true);
	return true;
}
