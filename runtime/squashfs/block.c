/*
 * Blocks of file contents: out of the shared cache, into it, or past it into a caller's buffer.
 * Their size words stand behind the inode or in the fragment table (bit 24: stored; 0: a hole).
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

/* Reads and decompresses it into `out`, a block in size. Returns its length or an error. */
static ssize_t decode(struct sqfs_reader *reader, uint64_t position, uint32_t word, uint8_t *out)
{
	uint32_t block_size = reader->fs->super.block_size;
	uint32_t size = word & BLOCK_SIZE_MASK;
	bool stored = word & BLOCK_STORED;

	if (word & ~(BLOCK_STORED | BLOCK_SIZE_MASK) || size == 0 || size > block_size)
		return sqfs_fail(reader, SQFS_EDECOMPRESS,
				 "block at %" PRIu64 ": size word 0x%" PRIx32
				 ", expected at most %" PRIu32 " bytes",
				 position, word, block_size);
	int error = image_read(reader, position, stored ? out : reader->input, size, "block");
	if (error)
		return error;
	if (stored)
		return (ssize_t)size;
	ssize_t n = codec_decompress(reader->codec, reader->input, size, out, block_size);
	if (n < 0)
		return sqfs_fail(reader, (int)n,
				 "block at %" PRIu64 ": %" PRIu32 " bytes do not decompress",
				 position, size);
	return n;
}

/* Fills a block that block_take gave for loading. */
static int fill(struct sqfs_reader *reader, uint32_t word, struct block *block)
{
	struct block_cache *cache = &reader->cache->data;
	ssize_t n = decode(reader, block->position, word, block->data);

	if (n < 0) {
		block_abandoned(cache, block);
		return (int)n;
	}
	block_loaded(cache, block, (uint32_t)n, 0);
	return 0;
}

/* Decompressing takes long, and so does waiting for another thread that does. */
static void announce(struct sqfs_reader *reader, uint64_t position)
{
	if (reader->before_load && !block_is_there(&reader->cache->data, position))
		reader->before_load(reader->before_load_argument);
}

static void block_let_go(struct sqfs_reader *reader)
{
	if (reader->data)
		block_release(&reader->cache->data, reader->data);
	reader->data = NULL;
}

void sqfs_block_spent(struct sqfs_reader *reader)
{
	if (reader->data)
		block_release_spent(&reader->cache->data, reader->data);
	reader->data = NULL;
}

int block_load(struct sqfs_reader *reader, uint64_t position, uint32_t word, uint32_t expected,
	       bool exact, const uint8_t **data)
{
	bool load;

	block_let_go(reader);
	announce(reader, position);
	struct block *block = block_take(&reader->cache->data, position, &load);
	if (!block)
		return sqfs_fail(reader, SQFS_ENOMEM, "block cache");
	if (load) {
		int error = fill(reader, word, block);
		if (error)
			return error;
	}
	reader->data = block;
	if (exact ? block->length != expected : block->length < expected)
		return sqfs_fail(reader, SQFS_EDECOMPRESS,
				 "block at %" PRIu64 ": %" PRIu32
				 " bytes decompressed, expected %" PRIu32,
				 position, block->length, expected);
	*data = block->data;
	return 0;
}

int block_prefetch(struct sqfs_reader *reader, uint64_t position, uint32_t word)
{
	struct block_cache *cache = &reader->cache->data;
	struct block *block;

	block_let_go(reader);
	block = block_take_absent(cache, position);
	if (!block)
		return 0;
	int error = fill(reader, word, block);
	if (!error)
		block_release(cache, block);
	return error;
}

static int read_fragment(struct sqfs_reader *reader, uint32_t index, uint64_t *position,
			 uint32_t *word)
{
	uint8_t raw[16];
	int error = table_read(reader, reader->fs->super.fragment_table, index, sizeof raw, raw,
			       "fragment");

	*position = le64(raw);
	*word = le32(raw + 8);
	return error;
}

int tail_load(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint32_t tail,
	      const uint8_t **data)
{
	uint64_t position;
	uint32_t word;
	int error = read_fragment(reader, inode->fragment, &position, &word);

	/* The offset was checked against the block size; here against what is really there. */
	if (!error)
		error = block_load(reader, position, word, inode->fragment_offset + tail, false,
				   data);
	if (!error)
		*data += inode->fragment_offset;
	return error;
}

int sqfs_prefetch_fragment(struct sqfs_reader *reader, uint32_t fragment)
{
	uint64_t position;
	uint32_t word;

	if (fragment >= reader->fs->super.fragment_count)
		return sqfs_fail(reader, SQFS_ENOENT, "fragment %" PRIu32 ": behind the last one",
				 fragment);
	int error = read_fragment(reader, fragment, &position, &word);
	return error ? error : block_prefetch(reader, position, word);
}
