/* Files and symlinks: blocks of data, and inodes that say where they are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "squashfs_writer/image.h"
#include "squashfs_writer/put.h"

struct blocks {
	struct image *image;
	uint64_t sparse; /* bytes in blocks that are holes */
	struct image_table words; /* a size word for each block */
};

void image_inode_head(const struct image *image, uint32_t index, unsigned type, uint8_t head[16])
{
	const struct zip_entry *entry = &image->zip->entries[index];
	int64_t mtime = entry->mtime;

	if (mtime < 0)
		mtime = 0;
	if (mtime > UINT32_MAX)
		mtime = UINT32_MAX;
	put16(head, (uint16_t)type);
	put16(head + 2, entry->mode & 0777);
	put16(head + 4, image->uid_index);
	put16(head + 6, image->gid_index);
	put32(head + 8, (uint32_t)mtime);
	put32(head + 12, index + 1);
}

static bool is_zero(const uint8_t *data, size_t size)
{
	return data[0] == 0 && memcmp(data, data + 1, size - 1) == 0;
}

/* Each call brings one block, the last one perhaps short: there are no fragments. */
static int take_block(void *context, const uint8_t *data, size_t size, struct failure *failure)
{
	struct blocks *blocks = context;
	uint8_t word[4];
	bool hole = is_zero(data, size);

	(void)failure;
	put32(word, hole ? 0 : (uint32_t)size | IMAGE_STORED);
	if (hole)
		blocks->sparse += size;
	else if (image_write(blocks->image, data, size) < 0)
		return -1;
	return image_append(blocks->image, &blocks->words, word, sizeof word);
}

static int add_basic(struct image *image, uint32_t index, uint64_t start)
{
	uint8_t raw[32];

	image_inode_head(image, index, SQFS_FILE, raw);
	put32(raw + 16, (uint32_t)start);
	put32(raw + 20, SQFS_NO_ENTRY);
	put32(raw + 24, 0);
	put32(raw + 28, (uint32_t)image->zip->entries[index].size);
	return image_append(image, &image->inode_table, raw, sizeof raw);
}

static int add_extended(struct image *image, uint32_t index, uint64_t start, uint64_t sparse)
{
	uint8_t raw[56];

	image_inode_head(image, index, SQFS_FILE + SQFS_EXTENDED, raw);
	put64(raw + 16, start);
	put64(raw + 24, image->zip->entries[index].size);
	put64(raw + 32, sparse);
	put32(raw + 40, 1);
	put32(raw + 44, SQFS_NO_ENTRY);
	put32(raw + 48, 0);
	put32(raw + 52, SQFS_NO_ENTRY);
	return image_append(image, &image->inode_table, raw, sizeof raw);
}

int image_add_file(struct image *image, uint32_t index)
{
	const struct zip_entry *entry = &image->zip->entries[index];
	struct blocks blocks = { .image = image };
	uint64_t start = image->position;
	int result = zip_read(image->zip, entry, take_block, &blocks, image->failure);

	image->inodes[index] = (uint32_t)image->inode_table.used;
	if (result == 0) {
		/* Only an extended inode has a place for large numbers and for what holes save. */
		if (start > UINT32_MAX || entry->size > UINT32_MAX || blocks.sparse)
			result = add_extended(image, index, start, blocks.sparse);
		else
			result = add_basic(image, index, start);
	}
	if (result == 0)
		result = image_append(image, &image->inode_table, blocks.words.bytes,
				      blocks.words.used);
	free(blocks.words.bytes);
	return result;
}

int image_add_symlink(struct image *image, uint32_t index)
{
	const struct zip_entry *entry = &image->zip->entries[index];
	char target[PATH_MAX];
	uint8_t raw[24];

	if (zip_readlink(image->zip, entry, target, image->failure) < 0)
		return -1;
	image->inodes[index] = (uint32_t)image->inode_table.used;
	image_inode_head(image, index, SQFS_SYMLINK, raw);
	put32(raw + 16, 1);
	put32(raw + 20, (uint32_t)entry->size);
	if (image_append(image, &image->inode_table, raw, sizeof raw) < 0)
		return -1;
	return image_append(image, &image->inode_table, target, (size_t)entry->size);
}
