/* What the parts of the squashfs writer share. */
#ifndef ZIP_IMAGE_H
#define ZIP_IMAGE_H

#include "squashfs/squashfs.h"
#include "zip/zip_reader.h"

#define IMAGE_BLOCK_BYTES ZIP_OUTPUT_BYTES
#define IMAGE_BLOCK_LOG 17
#define IMAGE_STORED (UINT32_C(1) << 24) /* in a size word: not compressed */

/*
 * A table in memory. Stored metadata blocks all hold 8 KiB behind a header of two bytes, so the
 * place of a byte in the image follows from its offset here.
 */
struct image_table {
	uint8_t *bytes;
	size_t used;
	size_t room;
};

struct image {
	struct zip *zip;
	struct failure *failure;
	int fd;
	uint64_t position; /* of the next byte, those in the buffer included */
	uint8_t *buffer;
	size_t held;
	uint32_t *inodes; /* by entry: offset in the inode table */
	struct image_table inode_table;
	struct image_table directory_table;
	uint16_t uid_index;
	uint16_t gid_index;
};

int image_write(struct image *image, const void *data, size_t size);
/* Appends to a table of at most 4 GiB. */
int image_append(struct image *image, struct image_table *table, const void *data, size_t size);

/* Offset of a metadata block from its table's start in the image, and of a byte inside it. */
static inline uint32_t image_meta_block(size_t offset)
{
	return (uint32_t)(offset / SQFS_META_SIZE * (SQFS_META_SIZE + 2));
}

static inline uint16_t image_meta_offset(size_t offset)
{
	return offset % SQFS_META_SIZE;
}

/* The 16 bytes that every inode starts with; the number of an entry is its index plus one. */
void image_inode_head(const struct image *image, uint32_t index, unsigned type, uint8_t head[16]);
/* Writes the contents of a file, then its inode. */
int image_add_file(struct image *image, uint32_t index);
int image_add_symlink(struct image *image, uint32_t index);
/* Writes a listing and its inode; everything inside has been added before. */
int image_add_directory(struct image *image, uint32_t index);

#endif
