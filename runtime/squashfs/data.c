/*
 * File contents: full blocks, found through the list of their sizes behind the inode, then perhaps
 * a tail inside a fragment block that several files share.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define MAP_STRIDE 64 /* blocks between two marks */
#define MAP_MARKS_MAX 65536

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

/*
 * Finds block `index` of the file: its position and its size word. Size words are taken in runs,
 * from the nearest place before it that is known.
 */
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
		uint8_t raw[4 * MAP_STRIDE];
		uint64_t left = index + 1 - place.index;
		size_t run = MAP_STRIDE - (size_t)(place.index % MAP_STRIDE);
		add_mark(map, &place);
		if (run > left)
			run = (size_t)left;
		int error = meta_read(reader, &place.list, raw, run * 4);
		if (error)
			return error;
		for (size_t i = 0; i < run; i++) {
			*word = le32(raw + i * 4);
			*position = place.position;
			/* < 2^24 each: no overflow in 2^40 blocks */
			place.position += *word & BLOCK_SIZE_MASK;
		}
		place.index += run;
		if (place.index > index) {
			map->last = place;
			return 0;
		}
	}
}

/* A stretch of a file that lies in one block. */
struct stretch {
	uint64_t position; /* of the block in the image */
	uint32_t word; /* its size word, 0: a hole */
	uint32_t within; /* where the stretch starts in the block's share of the file */
	uint32_t whole; /* bytes of that share */
	bool tail; /* in a fragment; position and word do not count */
};

/* Returns 1, 0 at the end of the file, or an error. */
static int find_stretch(struct sqfs_reader *reader, const struct sqfs_inode *inode,
			uint64_t position, struct stretch *stretch)
{
	const struct sqfs_super *super = &reader->fs->super;
	uint64_t rest = position < inode->size ? inode->size - position : 0;

	if (inode->type != SQFS_FILE)
		return sqfs_fail(reader, SQFS_EINODE, "inode %" PRIu32 ": not a regular file",
				 inode->number);
	if (rest == 0)
		return 0;
	stretch->within = (uint32_t)(position & (super->block_size - 1));
	rest += stretch->within;
	stretch->whole = rest < super->block_size ? (uint32_t)rest : super->block_size;
	stretch->tail = stretch->whole < super->block_size && inode->fragment != SQFS_NO_ENTRY;
	if (stretch->tail)
		return 1;
	int error = locate(reader, inode, position >> super->block_log, &stretch->position,
			   &stretch->word);
	return error ? error : 1;
}

static ssize_t read_stretch(struct sqfs_reader *reader, const struct sqfs_inode *inode,
			    const struct stretch *stretch, const uint8_t **data)
{
	int error;

	*data = NULL;
	if (stretch->tail)
		error = tail_load(reader, inode, stretch->whole, data);
	else if (stretch->word == 0)
		error = 0;
	else
		error = block_load(reader, stretch->position, stretch->word, stretch->whole, true,
				   data);
	if (error)
		return error;
	if (*data)
		*data += stretch->within;
	return (ssize_t)(stretch->whole - stretch->within);
}

ssize_t sqfs_read_block(struct sqfs_reader *reader, const struct sqfs_inode *inode,
			uint64_t position, const uint8_t **data)
{
	struct stretch stretch;
	int found = find_stretch(reader, inode, position, &stretch);

	return found <= 0 ? found : read_stretch(reader, inode, &stretch, data);
}

ssize_t sqfs_prefetch(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t position)
{
	struct stretch stretch;
	int found = find_stretch(reader, inode, position, &stretch);
	int error = 0;

	if (found <= 0)
		return found;
	if (stretch.tail)
		error = sqfs_prefetch_fragment(reader, inode->fragment);
	else if (stretch.word)
		error = block_prefetch(reader, stretch.position, stretch.word);
	return error ? error : (ssize_t)(stretch.whole - stretch.within);
}

void sqfs_forget_blocks(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t first,
			uint64_t last)
{
	struct stretch from, to;

	if (find_stretch(reader, inode, first, &from) <= 0 || from.tail ||
	    find_stretch(reader, inode, last, &to) <= 0 || to.tail)
		return;
	/* Whole pages, also the ones shared with a neighbour: others the kernel would leave. */
	uint64_t begin = (reader->fs->offset + from.position) & ~UINT64_C(4095);
	uint64_t end = reader->fs->offset + to.position + (to.word & BLOCK_SIZE_MASK);
	end = (end + 4095) & ~UINT64_C(4095);
	if (begin < end) /* holes have no bytes, and zero bytes would mean all that follow */
		posix_fadvise(reader->fs->fd, (off_t)begin, (off_t)(end - begin),
			      POSIX_FADV_DONTNEED);
}

ssize_t sqfs_pread(struct sqfs_reader *reader, const struct sqfs_inode *inode, void *buffer,
		   size_t size, uint64_t position)
{
	uint8_t *to = buffer;
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
			memcpy(to + done, data, part);
		else
			memset(to + done, 0, part);
		done += part;
	}
	return (ssize_t)done;
}
