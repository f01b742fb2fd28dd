/*
 * File contents: full blocks whose sizes stand behind the inode (bit 24: stored; 0: a hole), then
 * perhaps a tail inside a fragment block that several files share.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define BLOCK_STORED (1u << 24)
#define BLOCK_SIZE_MASK (BLOCK_STORED - 1)
#define MAP_STRIDE 512 /* blocks between two marks */
#define MAP_MARKS_MAX 65536

/* The decompressed block at `position`; `out_size` is what it must be (exact) or may be. */
static int load_block(struct sqfs_reader *reader, uint64_t position, uint32_t word,
		      uint32_t out_size, bool exact, const struct data_slot **found)
{
	uint32_t block_size = reader->fs->super.block_size;
	uint32_t size = word & BLOCK_SIZE_MASK;
	struct data_slot *slot = &reader->data[0];
	ssize_t n = size;
	int error;

	for (size_t i = 0; i < reader->data_slots; i++) {
		struct data_slot *candidate = &reader->data[i];
		if (position && candidate->position == position) {
			slot = candidate;
			goto check;
		}
		if (candidate->stamp < slot->stamp)
			slot = candidate;
	}
	slot->position = 0;
	if (!slot->data)
		slot->data = malloc(block_size);
	if (!slot->data)
		return sqfs_fail(reader, SQFS_ENOMEM, "block cache");
	if (word & ~(BLOCK_STORED | BLOCK_SIZE_MASK) || size == 0 || size > block_size)
		return sqfs_fail(reader, SQFS_EDECOMPRESS,
				 "block at %" PRIu64 ": size word 0x%" PRIx32
				 ", expected at most %" PRIu32 " bytes",
				 position, word, block_size);
	if (word & BLOCK_STORED) {
		error = image_read(reader, position, slot->data, size, "block");
		if (error)
			return error;
	} else {
		error = image_read(reader, position, reader->input, size, "block");
		if (error)
			return error;
		n = codec_decompress(reader->codec, reader->input, size, slot->data, block_size);
		if (n < 0)
			return sqfs_fail(reader, (int)n,
					 "block at %" PRIu64 ": %" PRIu32
					 " bytes do not decompress",
					 position, size);
	}
	slot->position = position;
	slot->length = (uint32_t)n;
check:
	slot->stamp = ++reader->clock;
	if (exact ? slot->length != out_size : slot->length < out_size)
		return sqfs_fail(reader, SQFS_EDECOMPRESS,
				 "block at %" PRIu64 ": %" PRIu32
				 " bytes decompressed, expected %" PRIu32,
				 position, slot->length, out_size);
	*found = slot;
	return 0;
}

static int load_tail(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint32_t tail,
		     const uint8_t **data)
{
	const struct data_slot *slot;
	uint8_t raw[16];
	int error = table_read(reader, reader->fs->super.fragment_table, inode->fragment,
			       sizeof raw, raw, "fragment");

	/* The offset was checked against the block size; here against what is really there. */
	if (!error)
		error = load_block(reader, le64(raw), le32(raw + 8), inode->fragment_offset + tail,
				   false, &slot);
	if (!error)
		*data = slot->data + inode->fragment_offset;
	return error;
}

static struct block_place first_place(const struct sqfs_reader *reader,
				      const struct sqfs_inode *inode)
{
	return (struct block_place){
		.position = inode->blocks_start,
		.list = { inode->tail_block, inode->tail_offset, inode_limit(reader->fs) },
	};
}

static struct map_slot *find_map(struct sqfs_reader *reader, const struct sqfs_inode *inode)
{
	struct map_slot *oldest = &reader->maps[0];

	for (size_t i = 0; i < MAP_SLOTS; i++) {
		struct map_slot *map = &reader->maps[i];
		if (map->used && map->ref == inode->ref) {
			map->stamp = ++reader->clock;
			return map;
		}
		if (map->stamp < oldest->stamp)
			oldest = map;
	}
	oldest->used = true;
	oldest->ref = inode->ref;
	oldest->stamp = ++reader->clock;
	oldest->mark_count = 0;
	oldest->last = first_place(reader, inode);
	return oldest;
}

/* Remembers a place every MAP_STRIDE blocks; without memory it is only slower. */
static void add_mark(struct map_slot *map, const struct block_place *place)
{
	if (place->index != (uint64_t)map->mark_count * MAP_STRIDE ||
	    map->mark_count >= MAP_MARKS_MAX)
		return;
	if (map->mark_count == map->mark_room) {
		size_t room = map->mark_room ? map->mark_room * 2 : 16;
		struct block_place *marks = realloc(map->marks, room * sizeof *marks);
		if (!marks)
			return;
		map->marks = marks;
		map->mark_room = room;
	}
	map->marks[map->mark_count++] = *place;
}

/* Finds block `index` of the file: its position and its size word. */
static int locate(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t index,
		  uint64_t *position, uint32_t *word)
{
	struct map_slot *map = find_map(reader, inode);
	struct block_place place = map->last;
	size_t mark = (size_t)(index / MAP_STRIDE);

	if (mark >= map->mark_count)
		mark = map->mark_count ? map->mark_count - 1 : 0;
	if (index < place.index)
		place = first_place(reader, inode);
	if (mark < map->mark_count && map->marks[mark].index > place.index)
		place = map->marks[mark];
	for (;;) {
		uint8_t raw[4];
		struct block_place here = place;
		add_mark(map, &here);
		int error = meta_read(reader, &place.list, raw, sizeof raw);
		if (error)
			return error;
		*word = le32(raw);
		*position = place.position;
		place.index++;
		place.position += *word &
				  BLOCK_SIZE_MASK; /* < 2^24 each: no overflow in 2^40 blocks */
		if (here.index == index) {
			map->last = place;
			return 0;
		}
	}
}

ssize_t sqfs_read_block(struct sqfs_reader *reader, const struct sqfs_inode *inode,
			uint64_t position, const uint8_t **data)
{
	const struct sqfs_super *super = &reader->fs->super;
	uint32_t within = (uint32_t)(position & (super->block_size - 1));
	uint64_t index = position >> super->block_log;
	uint64_t rest = position < inode->size ? inode->size - position : 0;
	const struct data_slot *slot;
	uint64_t start;
	uint32_t word;
	int error;

	if (inode->type != SQFS_FILE)
		return sqfs_fail(reader, SQFS_EINODE, "inode %" PRIu32 ": not a regular file",
				 inode->number);
	if (rest == 0)
		return 0;

	uint64_t whole = rest + within < super->block_size ? rest + within : super->block_size;
	if (whole < super->block_size && inode->fragment != SQFS_NO_ENTRY) {
		error = load_tail(reader, inode, (uint32_t)whole, data);
	} else {
		error = locate(reader, inode, index, &start, &word);
		if (error)
			return error;
		if (word == 0) {
			*data = NULL;
			return (ssize_t)(whole - within);
		}
		error = load_block(reader, start, word, (uint32_t)whole, true, &slot);
		if (!error)
			*data = slot->data;
	}
	if (error)
		return error;
	*data += within;
	return (ssize_t)(whole - within);
}

ssize_t sqfs_pread(struct sqfs_reader *reader, const struct sqfs_inode *inode, void *buffer,
		   size_t size, uint64_t position)
{
	size_t done = 0;

	while (done < size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(reader, inode, position + done, &data);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		size_t part = (size_t)n < size - done ? (size_t)n : size - done;
		if (data)
			memcpy((uint8_t *)buffer + done, data, part);
		else
			memset((uint8_t *)buffer + done, 0, part);
		done += part;
	}
	return (ssize_t)done;
}
