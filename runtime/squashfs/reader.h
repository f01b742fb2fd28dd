/* What the parts of the reader share; not for users of squashfs.h. */
#ifndef SQUASHFS_READER_H
#define SQUASHFS_READER_H

#include "squashfs/block_cache.h"
#include "squashfs/squashfs.h"

#define READER_META 8 /* metadata blocks that a reader holds on to */
#define MAP_SLOTS 8
#define DIR_SLOTS 8
#define ID_SLOTS 16
#define INDEX_SLOTS 32

struct codec;

/* An owner by its index in the id table. */
struct id_slot {
	uint32_t index; /* + 1; 0: empty */
	uint32_t id;
};

/* One word of a table's index. */
struct index_slot {
	uint64_t where; /* position of the word in the image; 0: empty */
	uint64_t block;
};

/* A place in a run of metadata blocks. */
struct meta_cursor {
	uint64_t block; /* position of the block in the image */
	uint32_t offset; /* in its decompressed bytes; may equal its length */
	uint64_t limit; /* no block of this run reaches beyond it */
};

/* Where in a file's block list its blocks are, so that reading on does not sum from the start. */
struct block_place {
	uint64_t index;
	uint64_t position; /* of that block in the image */
	struct meta_cursor list; /* at its size word */
};

struct map_slot {
	uint64_t ref; /* inode; valid when used */
	bool used;
	uint64_t stamp;
	struct block_place last; /* where the next sequential read goes on */
	struct block_place *marks; /* every MAP_STRIDE blocks */
	size_t mark_count;
	size_t mark_room;
};

/* Where a listing goes on, so that a resumed readdir does not walk from its start. */
struct dir_slot {
	uint64_t ref;
	uint64_t cookie; /* 0: empty */
	uint64_t stamp;
	struct meta_cursor cursor;
	uint32_t base; /* offset of the current header in the listing */
	uint32_t at; /* offset of the next entry in the listing */
	uint32_t index; /* of the next entry below its header */
	uint32_t count; /* entries below that header */
	uint32_t start; /* of the header: inode metadata block */
	uint32_t number; /* of the header: inode number base */
	uint16_t last_len;
	char last[SQFS_NAME_MAX];
};

struct sqfs_reader {
	const struct sqfs *fs;
	struct codec *codec;
	uint64_t clock; /* stamps of the caches */
	struct sqfs_cache *cache;
	bool own_cache;
	struct block *meta[READER_META]; /* pinned; the most recent one first */
	struct block *data; /* pinned: what the last sqfs_read_block returned */
	struct id_slot ids[ID_SLOTS];
	struct index_slot indexes[INDEX_SLOTS];
	uint8_t *input; /* a compressed block */
	void (*before_load)(void *argument); /* or NULL */
	void *before_load_argument;
	struct map_slot maps[MAP_SLOTS];
	struct dir_slot dirs[DIR_SLOTS]; /* by where the next listing call goes on */
	struct dir_slot lookups[DIR_SLOTS]; /* by directory; cookie 1: in use */
	char fault[SQFS_FAULT_MAX];
};

/* Notes what was at fault and returns `error`. */
__attribute__((format(printf, 3, 4))) int sqfs_fail(struct sqfs_reader *reader, int error,
						    const char *format, ...);

/* Reads bytes of the image exactly; `where` names them in the fault. */
int image_read(struct sqfs_reader *reader, uint64_t position, void *buffer, size_t size,
	       const char *where);

/*
 * The metadata block at `position`, which must end at or before `limit`. Valid until READER_META
 * others were loaded.
 */
int meta_load(struct sqfs_reader *reader, uint64_t position, uint64_t limit,
	      const struct block **block);
/* Copies `size` bytes and moves the cursor behind them; out NULL: only moves. */
int meta_read(struct sqfs_reader *reader, struct meta_cursor *cursor, void *out, size_t size);

/* One element of a table that is kept as metadata blocks with an index of their positions. */
int table_read(struct sqfs_reader *reader, uint64_t index_position, uint64_t entry,
	       size_t entry_size, void *out, const char *name);

/* Limits of the metadata runs. */
uint64_t inode_limit(const struct sqfs *fs);
uint64_t directory_limit(const struct sqfs *fs);

#define BLOCK_STORED (1u << 24)
#define BLOCK_SIZE_MASK (BLOCK_STORED - 1)

/*
 * The decompressed block at `position`, through the cache; held for this reader until the next
 * such call. It must be `expected` bytes long (exact) or at least that.
 */
int block_load(struct sqfs_reader *reader, uint64_t position, uint32_t word, uint32_t expected,
	       bool exact, const uint8_t **data);
/* Into the cache, unless it is there or another thread is about to put it there. */
int block_prefetch(struct sqfs_reader *reader, uint64_t position, uint32_t word);
/* The first `tail` bytes of the file's share of its fragment. */
int tail_load(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint32_t tail,
	      const uint8_t **data);

struct codec *codec_new(unsigned compressor);
void codec_free(struct codec *codec);
/* Returns the decompressed length or SQFS_EDECOMPRESS / SQFS_ENOMEM. */
ssize_t codec_decompress(struct codec *codec, const void *source, size_t source_size, void *out,
			 size_t out_size);
bool codec_known(unsigned compressor);

#endif
