/*
 * Listings: a header with what up to 256 entries have in common (the metadata block of their
 * inodes, a base of their numbers), then the entries. A listing of more than 64 KiB has an
 * extended inode with an index of the metadata blocks that it runs through, for lookups.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "squashfs_writer/image.h"
#include "squashfs_writer/put.h"

#define HEADER_ENTRIES 256
#define HEADER_BYTES 12
#define LISTING_EXTRA 3 /* the size counts "." and "..", which are not there */
#define INDEX_MAX UINT16_MAX

struct listing {
	struct image *image;
	size_t start; /* in the directory table */
	size_t header; /* of the header that is being filled, there */
	uint32_t first; /* entry that its number base is of */
	uint32_t entries; /* below it */
	uint32_t directories; /* in all */
	struct image_table index;
	uint32_t indexed;
	size_t indexed_block; /* metadata block of the last header that is in the index */
};

static uint16_t basic_type(const struct zip_entry *entry)
{
	switch (zip_type(entry)) {
	case S_IFDIR:
		return SQFS_DIR;
	case S_IFLNK:
		return SQFS_SYMLINK;
	default:
		return SQFS_FILE;
	}
}

/* The kernel goes to the last one whose name is not behind the one it looks for. */
static int add_index(struct listing *listing, const char *name, size_t size)
{
	struct image *image = listing->image;
	uint8_t raw[12];

	if (listing->header / SQFS_META_SIZE == listing->indexed_block ||
	    listing->indexed == INDEX_MAX)
		return 0;
	listing->indexed_block = listing->header / SQFS_META_SIZE;
	listing->indexed++;
	put32(raw, (uint32_t)(listing->header - listing->start));
	put32(raw + 4, image_meta_block(listing->header));
	put32(raw + 8, (uint32_t)size - 1);
	if (image_append(image, &listing->index, raw, sizeof raw) < 0)
		return -1;
	return image_append(image, &listing->index, name, size);
}

static int start_header(struct listing *listing, uint32_t index, const char *name, size_t size)
{
	struct image *image = listing->image;
	uint8_t raw[HEADER_BYTES];

	listing->header = image->directory_table.used;
	listing->first = index;
	listing->entries = 0;
	put32(raw, 0);
	put32(raw + 4, image_meta_block(image->inodes[index]));
	put32(raw + 8, index + 1);
	if (add_index(listing, name, size) < 0)
		return -1;
	return image_append(image, &image->directory_table, raw, sizeof raw);
}

static bool needs_header(const struct listing *listing, uint32_t index)
{
	const uint32_t *inodes = listing->image->inodes;

	return listing->entries == 0 || listing->entries == HEADER_ENTRIES ||
	       index - listing->first > INT16_MAX ||
	       inodes[index] / SQFS_META_SIZE != inodes[listing->first] / SQFS_META_SIZE;
}

static int add_entry(struct listing *listing, uint32_t index)
{
	struct image *image = listing->image;
	const struct zip_entry *entry = &image->zip->entries[index];
	uint8_t raw[8];
	size_t size;
	const char *name = zip_base(image->zip, entry, &size);

	if (needs_header(listing, index) && start_header(listing, index, name, size) < 0)
		return -1;
	put16(raw, image_meta_offset(image->inodes[index]));
	put16(raw + 2, (uint16_t)(index - listing->first));
	put16(raw + 4, basic_type(entry));
	put16(raw + 6, (uint16_t)(size - 1));
	listing->directories += zip_type(entry) == S_IFDIR;
	if (image_append(image, &image->directory_table, raw, sizeof raw) < 0 ||
	    image_append(image, &image->directory_table, name, size) < 0)
		return -1;
	/* The count of a header is one less than what is below it. */
	put32(image->directory_table.bytes + listing->header, listing->entries++);
	return 0;
}

static int add_inode(struct listing *listing, uint32_t index)
{
	struct image *image = listing->image;
	const struct zip_entry *entry = &image->zip->entries[index];
	size_t size = image->directory_table.used - listing->start + LISTING_EXTRA;
	/* The root's parent has the number behind the last one. */
	uint32_t parent = index ? entry->parent + 1 : (uint32_t)image->zip->count + 1;
	bool extended = size > UINT16_MAX;
	uint8_t raw[40];

	image->inodes[index] = (uint32_t)image->inode_table.used;
	image_inode_head(image, index, extended ? SQFS_DIR + SQFS_EXTENDED : SQFS_DIR, raw);
	if (!extended) {
		put32(raw + 16, image_meta_block(listing->start));
		put32(raw + 20, listing->directories + 2);
		put16(raw + 24, (uint16_t)size);
		put16(raw + 26, image_meta_offset(listing->start));
		put32(raw + 28, parent);
		return image_append(image, &image->inode_table, raw, 32);
	}
	put32(raw + 16, listing->directories + 2);
	put32(raw + 20, (uint32_t)size);
	put32(raw + 24, image_meta_block(listing->start));
	put32(raw + 28, parent);
	put16(raw + 32, (uint16_t)listing->indexed);
	put16(raw + 34, image_meta_offset(listing->start));
	put32(raw + 36, SQFS_NO_ENTRY);
	if (image_append(image, &image->inode_table, raw, 40) < 0)
		return -1;
	return image_append(image, &image->inode_table, listing->index.bytes, listing->index.used);
}

int image_add_directory(struct image *image, uint32_t index)
{
	const struct zip_entry *entries = image->zip->entries;
	struct listing listing = {
		.image = image,
		.start = image->directory_table.used,
		.indexed_block = image->directory_table.used / SQFS_META_SIZE,
	};
	int result = 0;

	for (uint32_t i = index + 1; result == 0 && i < entries[index].end; i = entries[i].end)
		result = add_entry(&listing, i);
	if (result == 0)
		result = add_inode(&listing, index);
	free(listing.index.bytes);
	return result;
}
