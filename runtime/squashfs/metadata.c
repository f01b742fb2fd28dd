/*
 * Metadata blocks: a 16-bit header (bit 15: stored, the rest: bytes on disk), then up to 8 KiB
 * of decompressed bytes. A run of them reads as one stream.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define META_STORED 0x8000u

/*
 * After the read, so that what was read is what was there when the image was opened. Not the ctime:
 * a new version that takes the name by rename leaves this file as it is.
 */
static bool was_changed(const struct sqfs *fs)
{
	struct stat st;

	return fstat(fs->fd, &st) < 0 || st.st_size != fs->file_size ||
	       st.st_mtim.tv_sec != fs->file_time.tv_sec ||
	       st.st_mtim.tv_nsec != fs->file_time.tv_nsec;
}

int image_read(struct sqfs_reader *reader, uint64_t position, void *buffer, size_t size,
	       const char *where)
{
	const struct sqfs *fs = reader->fs;

	if (position > fs->super.bytes_used || size > fs->super.bytes_used - position)
		return sqfs_fail(reader, SQFS_ETABLE,
				 "%s at %" PRIu64 ": %zu bytes reach beyond the image's %" PRIu64,
				 where, position, size, fs->super.bytes_used);

	ssize_t n = pread_full(fs->fd, buffer, size, fs->offset + position);
	if (n < 0)
		return sqfs_fail(reader, SQFS_EIO, "%s at %" PRIu64 ": read error", where,
				 position);
	if (was_changed(fs))
		return sqfs_fail(reader, SQFS_ECHANGED, "%s at %" PRIu64, where, position);
	if ((size_t)n < size)
		return sqfs_fail(reader, SQFS_ETRUNCATED,
				 "%s at %" PRIu64 ": %zd bytes, expected %zu", where, position, n,
				 size);
	return 0;
}

/* Reads and decompresses the block at `position` into `data`. */
static int load_into(struct sqfs_reader *reader, uint64_t position, uint64_t limit, uint8_t *data,
		     uint32_t *length, uint64_t *next)
{
	uint8_t raw[2 + SQFS_META_SIZE];
	int error;

	if (limit > reader->fs->super.bytes_used)
		limit = reader->fs->super.bytes_used;
	if (position >= limit || limit - position < 2)
		return sqfs_fail(reader, SQFS_EMETADATA,
				 "metadata block at %" PRIu64 ": expected to start before %" PRIu64,
				 position, limit);

	/* One read for header and body; what is behind the table's end is not asked for. */
	size_t ask = limit - position < sizeof raw ? (size_t)(limit - position) : sizeof raw;
	error = image_read(reader, position, raw, ask, "metadata block");
	if (error)
		return error;

	uint32_t header = le16(raw);
	uint32_t size = header & ~META_STORED;
	if (size == 0)
		size = META_STORED; /* as the kernel reads it; too large in any case */
	if (size > SQFS_META_SIZE || size > ask - 2)
		return sqfs_fail(reader, SQFS_EMETADATA,
				 "metadata block at %" PRIu64 ": %" PRIu32
				 " bytes, expected at most %zu",
				 position, size, ask - 2);
	if (header & META_STORED) {
		memcpy(data, raw + 2, size);
		*length = size;
	} else {
		ssize_t n = codec_decompress(reader->codec, raw + 2, size, data, SQFS_META_SIZE);
		if (n <= 0)
			return sqfs_fail(reader, n ? (int)n : SQFS_EDECOMPRESS,
					 "metadata block at %" PRIu64 ": does not decompress",
					 position);
		*length = (uint32_t)n;
	}
	*next = position + 2 + size;
	return 0;
}

/* Takes it out of the shared cache, or loads it into that. */
static struct block *take_meta(struct sqfs_reader *reader, uint64_t position, uint64_t limit,
			       int *error)
{
	struct block_cache *cache = &reader->cache->meta;
	uint32_t length;
	uint64_t next;
	bool load;
	struct block *block = block_take(cache, position, &load);

	*error = block ? 0 : sqfs_fail(reader, SQFS_ENOMEM, "metadata cache");
	if (!block || !load)
		return block;
	*error = load_into(reader, position, limit, block->data, &length, &next);
	if (*error) {
		block_abandoned(cache, block);
		return NULL;
	}
	block_loaded(cache, block, length, next);
	return block;
}

int meta_load(struct sqfs_reader *reader, uint64_t position, uint64_t limit,
	      const struct block **block)
{
	struct block **held = reader->meta;
	struct block *wanted;
	size_t at = 0;
	int error;

	while (at < READER_META - 1 && held[at] && held[at]->position != position)
		at++;
	wanted = held[at];
	if (!wanted || wanted->position != position) {
		if (wanted)
			block_release(&reader->cache->meta, wanted);
		held[at] = NULL;
		wanted = take_meta(reader, position, limit, &error);
		if (!wanted)
			return error;
	}
	memmove(held + 1, held, at * sizeof *held);
	held[0] = wanted;
	*block = wanted;
	return 0;
}

int meta_read(struct sqfs_reader *reader, struct meta_cursor *cursor, void *out, size_t size)
{
	uint8_t *to = out;

	while (size) {
		const struct block *block;
		int error = meta_load(reader, cursor->block, cursor->limit, &block);
		if (error)
			return error;
		if (cursor->offset > block->length)
			return sqfs_fail(reader, SQFS_EMETADATA,
					 "metadata block at %" PRIu64 ": offset %" PRIu32
					 " of %" PRIu32 " bytes",
					 cursor->block, cursor->offset, block->length);
		if (cursor->offset == block->length) {
			cursor->block = block->next;
			cursor->offset = 0;
			continue;
		}
		size_t part = block->length - cursor->offset;
		if (part > size)
			part = size;
		if (to) {
			memcpy(to, block->data + cursor->offset, part);
			to += part;
		}
		cursor->offset += (uint32_t)part;
		size -= part;
	}
	return 0;
}

/* A table's index is read again and again, for the same few words. */
static int index_read(struct sqfs_reader *reader, uint64_t where, const char *name, uint64_t *block)
{
	struct index_slot *slot = &reader->indexes[where / 8 % INDEX_SLOTS];
	uint8_t raw[8];

	if (slot->where != where) {
		int error = image_read(reader, where, raw, sizeof raw, name);
		if (error)
			return error;
		*slot = (struct index_slot){ .where = where, .block = le64(raw) };
	}
	*block = slot->block;
	return 0;
}

int table_read(struct sqfs_reader *reader, uint64_t index_position, uint64_t entry,
	       size_t entry_size, void *out, const char *name)
{
	uint64_t byte = entry * entry_size; /* entry < 2^32 and entry_size <= 16: no overflow */
	struct meta_cursor cursor = {
		.offset = (uint32_t)(byte % SQFS_META_SIZE),
		.limit = index_position,
	};
	int error =
		index_read(reader, index_position + byte / SQFS_META_SIZE * 8, name, &cursor.block);

	if (error)
		return error;
	if (cursor.block < 96 || cursor.block >= index_position)
		return sqfs_fail(reader, SQFS_ETABLE,
				 "%s table: block at %" PRIu64 ", expected before %" PRIu64, name,
				 cursor.block, index_position);
	return meta_read(reader, &cursor, out, entry_size);
}
