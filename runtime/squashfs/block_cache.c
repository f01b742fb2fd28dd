#include "squashfs/block_cache.h"

#include <stdlib.h>

#include "squashfs/reader.h"

#define NONE 0u
#define META_LEAST 64

/* `count` must exceed the pins that all threads hold together while one of them takes a block. */
static bool init(struct block_cache *cache, size_t count, size_t block_bytes)
{
	size_t buckets = 16;

	while (buckets < count * 2)
		buckets *= 2;
	*cache = (struct block_cache){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.block_bytes = block_bytes,
		.count = count,
		.buckets = calloc(buckets, sizeof *cache->buckets),
		.bucket_mask = buckets - 1,
		.blocks = calloc(count, sizeof *cache->blocks),
	};
	return cache->buckets && cache->blocks;
}

static void clear(struct block_cache *cache)
{
	for (size_t i = 0; cache->blocks && i < cache->used; i++)
		free(cache->blocks[i].data);
	free(cache->blocks);
	free(cache->buckets);
}

static uint32_t *bucket_of(struct block_cache *cache, uint64_t position)
{
	return &cache->buckets[(position * UINT64_C(0x9e3779b97f4a7c15)) >> 32 &
			       cache->bucket_mask];
}

static struct block *look_up(struct block_cache *cache, uint64_t position)
{
	uint32_t at = *bucket_of(cache, position);

	while (at != NONE && cache->blocks[at - 1].position != position)
		at = cache->blocks[at - 1].chain;
	return at == NONE ? NULL : &cache->blocks[at - 1];
}

static void unlink_block(struct block_cache *cache, struct block *block)
{
	uint32_t number = (uint32_t)(block - cache->blocks) + 1;
	uint32_t *at = bucket_of(cache, block->position);

	while (*at != number)
		at = &cache->blocks[*at - 1].chain;
	*at = block->chain;
	block->state = BLOCK_EMPTY;
}

/*
 * A block that can be had: a spent one, whose memory is still in the processor's cache; one that
 * was never used; or the one unused for longest.
 */
static struct block *choose(struct block_cache *cache)
{
	struct block *oldest = NULL;

	for (size_t i = 0; i < cache->used; i++) {
		struct block *block = &cache->blocks[i];
		if (block->pins == 0 && (!oldest || block->stamp < oldest->stamp))
			oldest = block;
	}
	if (cache->used < cache->count && (!oldest || oldest->stamp))
		return &cache->blocks[cache->used++];
	if (oldest && oldest->state == BLOCK_READY)
		unlink_block(cache, oldest);
	return oldest;
}

static void wait_for_change(struct block_cache *cache)
{
	cache->waiting++;
	pthread_cond_wait(&cache->changed, &cache->lock);
	cache->waiting--;
}

static void tell_change(struct block_cache *cache)
{
	if (cache->waiting)
		pthread_cond_broadcast(&cache->changed);
}

/* The block at `position`, pinned and complete, or NULL. */
static struct block *take_present(struct block_cache *cache, uint64_t position)
{
	for (;;) {
		struct block *block = look_up(cache, position);
		if (!block)
			return NULL;
		if (block->state == BLOCK_READY) {
			block->pins++;
			block->stamp = ++cache->clock;
			return block;
		}
		wait_for_change(cache);
	}
}

bool block_is_there(struct block_cache *cache, uint64_t position)
{
	pthread_mutex_lock(&cache->lock);
	const struct block *block = look_up(cache, position);
	bool there = block && block->state == BLOCK_READY;
	pthread_mutex_unlock(&cache->lock);
	return there;
}

static void begin_loading(struct block_cache *cache, struct block *block, uint64_t position)
{
	uint32_t *bucket = bucket_of(cache, position);

	block->position = position;
	block->state = BLOCK_LOADING;
	block->pins = 1;
	block->chain = *bucket;
	*bucket = (uint32_t)(block - cache->blocks) + 1;
	cache->loads++;
}

/* Memory is taken when a block is used for the first time, and kept. */
static struct block *with_memory(struct block_cache *cache, struct block *block)
{
	if (!block->data)
		block->data = malloc(cache->block_bytes);
	if (block->data)
		return block;
	block_abandoned(cache, block);
	return NULL;
}

struct block *block_take(struct block_cache *cache, uint64_t position, bool *load)
{
	struct block *block;

	pthread_mutex_lock(&cache->lock);
	while (!(block = take_present(cache, position))) {
		block = choose(cache);
		if (block)
			break;
		wait_for_change(cache);
	}
	*load = block->state == BLOCK_EMPTY;
	if (*load)
		begin_loading(cache, block, position);
	pthread_mutex_unlock(&cache->lock);
	return *load ? with_memory(cache, block) : block;
}

struct block *block_take_absent(struct block_cache *cache, uint64_t position)
{
	struct block *block = NULL;

	pthread_mutex_lock(&cache->lock);
	if (!look_up(cache, position))
		block = choose(cache);
	if (block)
		begin_loading(cache, block, position);
	pthread_mutex_unlock(&cache->lock);
	return block ? with_memory(cache, block) : NULL;
}

void block_loaded(struct block_cache *cache, struct block *block, uint32_t length, uint64_t next)
{
	pthread_mutex_lock(&cache->lock);
	block->length = length;
	block->next = next;
	block->state = BLOCK_READY;
	block->stamp = ++cache->clock;
	tell_change(cache);
	pthread_mutex_unlock(&cache->lock);
}

void block_abandoned(struct block_cache *cache, struct block *block)
{
	pthread_mutex_lock(&cache->lock);
	unlink_block(cache, block);
	block->pins = 0;
	block->stamp = 0;
	tell_change(cache);
	pthread_mutex_unlock(&cache->lock);
}

static void release(struct block_cache *cache, struct block *block, bool spent)
{
	pthread_mutex_lock(&cache->lock);
	if (spent)
		block->stamp = 0;
	if (--block->pins == 0)
		tell_change(cache);
	pthread_mutex_unlock(&cache->lock);
}

void block_release(struct block_cache *cache, struct block *block)
{
	release(cache, block, false);
}

void block_release_spent(struct block_cache *cache, struct block *block)
{
	release(cache, block, true);
}

struct sqfs_cache *sqfs_cache_new(const struct sqfs *fs, size_t bytes, unsigned readers)
{
	struct sqfs_cache *cache = calloc(1, sizeof *cache);
	size_t blocks = bytes / fs->super.block_size;
	/* With 16 MiB, a quarter holds the inodes and listings of some 60,000 files. */
	size_t metas = bytes / 4 / SQFS_META_SIZE;

	if (!cache)
		return NULL;
	if (blocks < readers)
		blocks = readers;
	if (metas < META_LEAST + readers * READER_META)
		metas = META_LEAST + readers * READER_META;
	if (init(&cache->meta, metas, SQFS_META_SIZE) &&
	    init(&cache->data, blocks, fs->super.block_size))
		return cache;
	sqfs_cache_free(cache);
	return NULL;
}

void sqfs_cache_free(struct sqfs_cache *cache)
{
	if (!cache)
		return;
	clear(&cache->meta);
	clear(&cache->data);
	free(cache);
}

uint64_t sqfs_cache_loads(struct sqfs_cache *cache)
{
	pthread_mutex_lock(&cache->data.lock);
	uint64_t loads = cache->data.loads;
	pthread_mutex_unlock(&cache->data.lock);
	return loads;
}
