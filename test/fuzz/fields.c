#include "fields.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 8192
#define FLAT_MAX (4u << 20)
#define FIELDS_MAX 200000
#define EXTENDED 7

/* A field that lies in the image as `width` bytes, which need not be adjacent. */
struct field {
	uint32_t kind; /* the same in every structure of its type */
	uint32_t width;
	uint32_t at[8];
};

/* Where an inode is, for the entries that name it. */
struct place {
	uint64_t ref;
	struct field type;
};

static struct field fields[FIELDS_MAX];
static size_t field_count;
static struct place inodes[FIELDS_MAX / 8], entries[FIELDS_MAX / 8];
static size_t inode_count, entry_count;

/* A run of stored metadata blocks as one stream: where in the image each of its bytes is. */
static uint32_t flat[FLAT_MAX];
static size_t flat_size;
static size_t image_size;

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t number_at(const uint8_t *image, const uint32_t *at, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value |= (uint64_t)image[at[i]] << 8 * i;
	return value;
}

/* The image may be one that was changed before: what is not in it is 0. */
static uint64_t word(const uint8_t *image, size_t at, unsigned width)
{
	uint64_t value = 0;

	if (at <= image_size && width <= image_size - at)
		memcpy(&value, image + at, width);
	return value;
}

/* False when a block is compressed. */
static int flatten(const uint8_t *image, size_t start, size_t end)
{
	flat_size = 0;
	if (end > image_size)
		end = image_size;
	while (start < end && end - start > 2) {
		unsigned header = (unsigned)word(image, start, 2);
		unsigned size = header & 0x7fff;
		if (!(header & 0x8000) || size > BLOCK || size > end - start - 2 ||
		    flat_size + size > FLAT_MAX)
			return 0;
		for (unsigned i = 0; i < size; i++)
			flat[flat_size++] = (uint32_t)(start + 2 + i);
		start += 2 + size;
	}
	return 1;
}

static const struct field *add(uint32_t kind, size_t at, unsigned width)
{
	struct field *field = &fields[field_count];

	if (field_count == FIELDS_MAX || at + width > flat_size)
		return NULL;
	field->kind = kind;
	field->width = width;
	memcpy(field->at, flat + at, width * sizeof *flat);
	field_count++;
	return field;
}

static void add_all(uint32_t kind, size_t at, const char *widths)
{
	for (; *widths; widths++) {
		unsigned width = (unsigned)(*widths - '0');
		add(kind++, at, width);
		at += width;
	}
}

static unsigned total(const char *widths)
{
	unsigned sum = 0;

	while (*widths)
		sum += (unsigned)(*widths++ - '0');
	return sum;
}

/* What follows the head of an inode, by its stored type: widths of the fields in bytes. */
static const char *const fixed[] = {
	NULL,	   "44224",   "4444", "44",  "44",  "44", "4",	"4",
	"4444224", "8884444", "44",   "444", "444", "44", "44",
};

/* The reference of the inode at a position of the stream: every block but the last one is full. */
static uint64_t reference(size_t at)
{
	return (uint64_t)(at / BLOCK * (BLOCK + 2)) << 16 | at % BLOCK;
}

static void find_inodes(const uint8_t *image, unsigned block_log)
{
	size_t at = 0;

	while (at + 16 < flat_size) {
		uint64_t type = number_at(image, flat + at, 2);
		size_t body = at + 16, rest = 0;
		if (type == 0 || type > 14 || inode_count == FIELDS_MAX / 8)
			return;
		add_all((uint32_t)type << 8, at, "222244");
		const struct field *head = add((uint32_t)type << 8, at, 2);
		if (!head || body + total(fixed[type]) > flat_size)
			return;
		inodes[inode_count++] = (struct place){ reference(at), *head };
		add_all((uint32_t)type << 8 | 16, body, fixed[type]);
		at = body + total(fixed[type]);
		if (type == 2 || type == 2 + EXTENDED) {
			uint64_t size = type == 2 ? number_at(image, flat + body + 12, 4) :
						    number_at(image, flat + body + 8, 8);
			uint64_t fragment = number_at(image, flat + body + (type == 2 ? 4 : 28), 4);
			uint64_t blocks = size >> block_log;
			blocks += fragment == 0xffffffff && size & ((1u << block_log) - 1);
			for (uint64_t i = 0; i < blocks; i++)
				if (!add(0x1000, at + i * 4, 4))
					return;
			rest = blocks * 4;
		} else if (type == 3 || type == 3 + EXTENDED) {
			rest = number_at(image, flat + body + 4, 4) + (type == 3 ? 0 : 4);
		} else if (type == 1 + EXTENDED) {
			uint64_t count = number_at(image, flat + body + 16, 2);
			for (; count && at + 12 <= flat_size; count--) {
				add_all(0x1010, at, "444");
				at += 12 + number_at(image, flat + at + 8, 4) + 1;
			}
		}
		at += rest;
	}
}

static void find_entries(const uint8_t *image)
{
	size_t at = 0;

	while (at + 12 < flat_size) {
		uint64_t count = number_at(image, flat + at, 4) + 1;
		uint64_t start = number_at(image, flat + at + 4, 4);
		add_all(0x2000, at, "444");
		for (at += 12; count && at + 8 < flat_size; count--) {
			uint64_t name = number_at(image, flat + at + 6, 2) + 1;
			add_all(0x2010, at, "2222");
			const struct field *type = add(0x2012, at + 4, 2);
			if (type && entry_count < FIELDS_MAX / 8)
				entries[entry_count++] = (struct place){
					start << 16 | number_at(image, flat + at, 2), *type
				};
			for (uint64_t i = 0; i < name && i < 4; i++)
				add(0x2020 + (uint32_t)i, at + 8 + i, 1);
			at += 8 + name;
		}
	}
}

/* A table with an index of its blocks: both are fields. */
static void find_table(const uint8_t *image, size_t index, size_t count, unsigned each,
		       const char *widths, uint32_t kind)
{
	size_t blocks = (count * each + BLOCK - 1) / BLOCK;

	for (size_t i = 0; i < blocks && index < image_size && i < (image_size - index) / 8; i++) {
		size_t block = (size_t)word(image, index + i * 8, 8);
		for (unsigned j = 0; j < 8; j++)
			flat[j] = (uint32_t)(index + i * 8 + j);
		flat_size = 8;
		add(kind + 15, 0, 8);
		size_t left = count * each - i * BLOCK;
		if (block > image_size || !(word(image, block, 2) & 0x8000))
			continue;
		flatten(image, block, block + 2 + (left < BLOCK ? left : BLOCK));
		for (size_t at = 0; at + each <= flat_size; at += each)
			add_all(kind, at, widths);
	}
}

size_t fields_find(const uint8_t *image, size_t size)
{
	field_count = inode_count = entry_count = 0;
	image_size = size;
	if (size < 96 || size > UINT32_MAX)
		return 0;
	size_t inode_table = (size_t)word(image, 64, 8),
	       directory_table = (size_t)word(image, 72, 8);
	size_t fragments = (size_t)word(image, 80, 8), id_table = (size_t)word(image, 48, 8);
	size_t fragment_count = (size_t)word(image, 16, 4);
	/* The listings end where the first block of the next table begins. */
	size_t listings_end = fragment_count ? (size_t)word(image, fragments, 8) : fragments;

	for (unsigned i = 0; i < 96; i++)
		flat[i] = i;
	flat_size = 96;
	add_all(0x3000, 0, "44444222222888888888");
	if (!flatten(image, inode_table, directory_table))
		return 0;
	find_inodes(image, (unsigned)word(image, 22, 2) % 32);
	if (flatten(image, directory_table, listings_end))
		find_entries(image);
	find_table(image, fragments, fragment_count, 16, "844", 0x4000);
	find_table(image, id_table, (size_t)word(image, 26, 2), 4, "4", 0x4010);
	return field_count;
}

static void put(uint8_t *image, const struct field *field, uint64_t value)
{
	for (unsigned i = 0; i < field->width; i++)
		image[field->at[i]] = (uint8_t)(value >> 8 * i);
}

static void change_type(uint8_t *image, uint64_t *state)
{
	if (inode_count == 0)
		return;
	const struct place *inode = &inodes[next_random(state) % inode_count];
	uint64_t type = 1 + next_random(state) % 14;

	put(image, &inode->type, type);
	for (size_t i = 0; i < entry_count; i++)
		if (entries[i].ref == inode->ref)
			put(image, &entries[i].type, type > EXTENDED ? type - EXTENDED : type);
}

static uint64_t other_value(const uint8_t *image, const struct field *field, uint64_t *state)
{
	for (unsigned tries = 0; tries < 64; tries++) {
		const struct field *other = &fields[next_random(state) % field_count];
		if (other->kind == field->kind && other != field)
			return number_at(image, other->at, other->width);
	}
	return next_random(state);
}

void fields_change(uint8_t *image, uint64_t *state)
{
	unsigned count = 1 + (unsigned)(next_random(state) % 5);

	while (count--) {
		/* Neighbours once in a while, so that one structure changes in several places. */
		const struct field *field = &fields[next_random(state) % field_count];
		uint64_t value = number_at(image, field->at, field->width);
		uint64_t random = next_random(state);
		static const uint64_t edges[] = { 0,	      1,	 2,	     0x7fff,
						  0x8000,     0xffff,	 0x7fffffff, 0x80000000,
						  0xffffffff, INT64_MAX, UINT64_MAX };
		switch (random % 6) {
		case 0:
			put(image, field, edges[(random >> 8) % (sizeof edges / sizeof *edges)]);
			break;
		case 1:
			put(image, field, value + (random >> 8) % 9 - 4);
			break;
		case 2:
			put(image, field,
			    value ^ UINT64_C(1) << (random >> 8) % (8 * field->width));
			break;
		case 3:
			change_type(image, state);
			break;
		default:
			put(image, field, other_value(image, field, state));
		}
	}
}
