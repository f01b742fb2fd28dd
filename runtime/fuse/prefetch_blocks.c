#include "fuse/prefetch_blocks.h"

#include <stdlib.h>

#include "fuse/fuse_mount.h"

/* Contents that are worth having for one start, at most: what is stored displaces other pages. */
#define BYTES_MOST (UINT64_C(512) << 20)
#define BLOCKS_MOST 65536u

/* Of the program, from its first page: all of a small one, and of a large one what is not known to be read. */
#define ENTRY_PAGES 256u

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

/* All runs of a start: first the program's, then those of the list. */
struct runs {
	struct start_list list;
	struct start_run entry; /* 0 pages: it has been had */
};

static void open_runs(struct runs *runs, const struct fuse_service *service)
{
	uint64_t pages = (service->entry_size + START_LIST_PAGE - 1) / START_LIST_PAGE;

	*runs = (struct runs){ .entry = { 0, pages < ENTRY_PAGES ? pages : ENTRY_PAGES,
					  service->entry } };
	start_list_open(&runs->list, service->list, service->list_size);
}

static bool next_run(struct runs *runs, struct start_run *run)
{
	*run = runs->entry;
	runs->entry.pages = 0;
	return (run->number && run->pages) || start_list_next(&runs->list, run);
}

/* Walks the blocks of all runs, as many as may be had: counts them, or with `note` notes them. */
static size_t walk(struct fuse_prefetch *prefetch, const struct fuse_service *service, bool note)
{
	unsigned log = prefetch->server->fs->super.block_log;
	uint64_t most = BYTES_MOST >> log < BLOCKS_MOST ? BYTES_MOST >> log : BLOCKS_MOST;
	struct runs runs;
	struct start_run run;
	size_t count = 0;

	open_runs(&runs, service);
	while (next_run(&runs, &run)) {
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

static size_t note_files(struct fuse_prefetch *prefetch, const struct fuse_service *service)
{
	struct runs runs;
	struct start_run run;
	size_t count = 0;

	open_runs(&runs, service);
	while (next_run(&runs, &run))
		count++;
	size_t room = power_above(count);
	prefetch->files = count ? calloc(room, sizeof *prefetch->files) : NULL;
	if (!prefetch->files)
		return 0;
	prefetch->file_mask = room - 1;
	open_runs(&runs, service);
	while (next_run(&runs, &run))
		prefetch_find_file(prefetch, run.number)->number = run.number;
	return count;
}

bool prefetch_list_blocks(struct fuse_prefetch *prefetch, const struct fuse_service *service)
{
	if (!note_files(prefetch, service))
		return false;
	size_t count = walk(prefetch, service, false);
	size_t room = power_above(count);
	prefetch->blocks = calloc(count, sizeof *prefetch->blocks);
	prefetch->places = calloc(room, sizeof *prefetch->places);
	if (!count || !prefetch->blocks || !prefetch->places)
		return false;
	prefetch->place_mask = room - 1;
	walk(prefetch, service, true);
	return true;
}
