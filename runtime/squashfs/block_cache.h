/*
 * Decompressed blocks of an image, shared by the readers of several threads.
 *
 * A block is taken (pinned) and released. Whoever takes a block that is not there gets it to load,
 * without any lock held; who wants the same block meanwhile waits for that one loading instead of
 * starting another. Nothing is evicted while it is pinned.
 */
#ifndef SQUASHFS_BLOCK_CACHE_H
#define SQUASHFS_BLOCK_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum block_state {
	BLOCK_EMPTY,
	BLOCK_LOADING,
	BLOCK_READY
};

struct block {
	uint64_t position; /* in the image */
	uint64_t next; /* metadata: position of the block that follows */
	uint64_t stamp;
	uint8_t *data;
	uint32_t length;
	uint32_t pins;
	uint32_t chain; /* next block of the same bucket: its number + 1, 0: none */
	enum block_state state;
};

struct block_cache {
	pthread_mutex_t lock; /* of everything but the contents of blocks; held for no call */
	pthread_cond_t changed; /* a block was loaded, abandoned or released */
	unsigned waiting; /* threads */
	uint64_t clock;
	uint64_t loads; /* blocks that had to be loaded so far */
	size_t block_bytes;
	size_t count;
	size_t used; /* blocks that have had memory so far */
	uint32_t *buckets; /* number of the first block + 1 */
	size_t bucket_mask;
	struct block *blocks;
};

/*
 * Pins the block at `position`. With *load the caller fills block->data and calls block_loaded or
 * block_abandoned. NULL: no memory.
 */
struct block *block_take(struct block_cache *cache, uint64_t position, bool *load);
/* Whether it can be had at once; true may be out of date when it is returned. */
bool block_is_there(struct block_cache *cache, uint64_t position);
/* The same, to be loaded, unless it is there or being loaded or there is no room: NULL. */
struct block *block_take_absent(struct block_cache *cache, uint64_t position);
void block_loaded(struct block_cache *cache, struct block *block, uint32_t length, uint64_t next);
/* Could not be loaded; also gives up the pin. */
void block_abandoned(struct block_cache *cache, struct block *block);
void block_release(struct block_cache *cache, struct block *block);
/* The same for one that will not be wanted again soon: the first to be evicted. */
void block_release_spent(struct block_cache *cache, struct block *block);

/* Both kinds of block that a reader needs, each with a bound of its own. */
struct sqfs_cache {
	struct block_cache meta;
	struct block_cache data;
};

#endif
