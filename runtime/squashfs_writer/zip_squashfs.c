/*
 * The image in the order it is written: superblock (filled in at the end), data, inode table,
 * directory table, ids. A directory's listing needs the places of the inodes inside of it, and its
 * inode the place of the listing; so files come first, then directories from the last to the first.
 */
#include "squashfs_writer/zip_squashfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "squashfs_writer/image.h"
#include "squashfs_writer/put.h"

#define BUFFER_BYTES (1u << 20)
#define PADDED_BYTES 4096
#define META_STORED 0x8000

/* Inodes, data, fragments and ids are stored; there are no fragments and no attributes. */
#define FLAGS                                                                              \
	(SQFS_FLAG_UNCOMPRESSED_INODES | SQFS_FLAG_UNCOMPRESSED_DATA |                     \
	 SQFS_FLAG_UNCOMPRESSED_FRAGMENTS | SQFS_FLAG_NO_FRAGMENTS | SQFS_FLAG_NO_XATTRS | \
	 SQFS_FLAG_UNCOMPRESSED_IDS)

static int refuse(struct image *image)
{
	return zip_fail(image->zip, image->failure, FUSELAGE_E_EXTRACT_FAILED,
			"squashfs image of it: %s", strerror(errno));
}

static int image_flush(struct image *image)
{
	size_t held = image->held;

	image->held = 0;
	return write_full(image->fd, image->buffer, held) < 0 ? refuse(image) : 0;
}

int image_write(struct image *image, const void *data, size_t size)
{
	if (BUFFER_BYTES - image->held < size && image_flush(image) < 0)
		return -1;
	memcpy(image->buffer + image->held, data, size); /* at most a block */
	image->held += size;
	image->position += size;
	return 0;
}

int image_append(struct image *image, struct image_table *table, const void *data, size_t size)
{
	/* Places in a table are of 32 bits, the headers of its blocks counted. */
	size_t most = UINT32_MAX / (SQFS_META_SIZE + 2) * SQFS_META_SIZE;

	if (size == 0)
		return 0;
	if (size > most - table->used)
		return zip_fail(image->zip, image->failure, FUSELAGE_E_ARCHIVE_UNSUPPORTED,
				"entries: expected a table of less than 4 GiB, found more");
	if (table->room - table->used < size) {
		size_t room = table->room ? table->room : 256;
		while (room - table->used < size)
			room *= 2;
		uint8_t *bytes = realloc(table->bytes, room);
		if (!bytes)
			return zip_fail(image->zip, image->failure, FUSELAGE_E_OUT_OF_MEMORY,
					"squashfs tables");
		table->bytes = bytes;
		table->room = room;
	}
	memcpy(table->bytes + table->used, data, size);
	table->used += size;
	return 0;
}

static int add_entries(struct image *image)
{
	const struct zip *zip = image->zip;

	for (uint32_t i = 0; i < zip->count; i++) {
		uint32_t type = zip_type(&zip->entries[i]);
		if ((type == S_IFREG && image_add_file(image, i) < 0) ||
		    (type == S_IFLNK && image_add_symlink(image, i) < 0))
			return -1;
	}
	for (uint32_t i = (uint32_t)zip->count; i-- > 0;)
		if (zip_type(&zip->entries[i]) == S_IFDIR && image_add_directory(image, i) < 0)
			return -1;
	return 0;
}

static int write_table(struct image *image, const uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at < size; at += SQFS_META_SIZE) {
		size_t part = size - at < SQFS_META_SIZE ? size - at : SQFS_META_SIZE;
		uint8_t header[2];
		put16(header, (uint16_t)(part | META_STORED));
		if (image_write(image, header, sizeof header) < 0 ||
		    image_write(image, bytes + at, part) < 0)
			return -1;
	}
	return 0;
}

/* The ids, then where they are; with that, not a byte later, the image ends. */
static int write_ids(struct image *image, const uint32_t ids[2], size_t count, uint64_t *table)
{
	uint8_t place[8];

	put64(place, image->position);
	if (write_table(image, (const uint8_t *)ids, count * sizeof *ids) < 0)
		return -1;
	*table = image->position;
	return image_write(image, place, sizeof place);
}

static int write_tables(struct image *image, uint8_t super[SQFS_SUPER_SIZE], const uint32_t ids[2],
			size_t id_count)
{
	uint32_t root = image->inodes[0];
	uint64_t ids_at;

	put64(super + SQFS_SUPER_ROOT,
	      (uint64_t)image_meta_block(root) << 16 | image_meta_offset(root));
	put64(super + SQFS_SUPER_INODE_TABLE, image->position);
	if (write_table(image, image->inode_table.bytes, image->inode_table.used) < 0)
		return -1;
	put64(super + SQFS_SUPER_DIRECTORY_TABLE, image->position);
	if (write_table(image, image->directory_table.bytes, image->directory_table.used) < 0 ||
	    write_ids(image, ids, id_count, &ids_at) < 0)
		return -1;
	put64(super + SQFS_SUPER_BYTES_USED, image->position);
	put64(super + SQFS_SUPER_ID_TABLE, ids_at);
	return 0;
}

static void start_super(const struct image *image, uint8_t super[SQFS_SUPER_SIZE], size_t id_count)
{
	uint8_t root[16];

	image_inode_head(image, 0, SQFS_DIR, root);
	put32(super + SQFS_SUPER_MAGIC, SQFS_MAGIC);
	put32(super + SQFS_SUPER_INODE_COUNT, (uint32_t)image->zip->count);
	memcpy(super + SQFS_SUPER_MTIME, root + 8, 4); /* the root's time */
	put32(super + SQFS_SUPER_BLOCK_SIZE, IMAGE_BLOCK_BYTES);
	put32(super + SQFS_SUPER_FRAGMENT_COUNT, 0); /* fragments */
	put16(super + SQFS_SUPER_COMPRESSOR,
	      SQFS_ZSTD); /* of nothing: every kernel and tool since 2017 knows it */
	put16(super + SQFS_SUPER_BLOCK_LOG, IMAGE_BLOCK_LOG);
	put16(super + SQFS_SUPER_FLAGS, FLAGS);
	put16(super + SQFS_SUPER_ID_COUNT, (uint16_t)id_count);
	put16(super + SQFS_SUPER_MAJOR, SQFS_MAJOR);
	put16(super + SQFS_SUPER_MINOR, SQFS_MINOR);
	put64(super + SQFS_SUPER_XATTR_TABLE, SQFS_NO_TABLE); /* extended attributes */
	put64(super + SQFS_SUPER_FRAGMENT_TABLE, SQFS_NO_TABLE); /* fragments */
	put64(super + SQFS_SUPER_EXPORT_TABLE, SQFS_NO_TABLE); /* export */
}

static int write_image(struct image *image, uid_t uid, gid_t gid)
{
	uint32_t ids[2] = { uid, gid };
	size_t id_count = uid == gid ? 1 : 2;
	uint8_t super[SQFS_SUPER_SIZE] = { 0 };
	static uint8_t zeros[PADDED_BYTES]; /* not const: that would take 4 KiB of the file */

	image->gid_index = (uint16_t)(id_count - 1);
	start_super(image, super, id_count);
	if (image_write(image, zeros, sizeof super) < 0 || add_entries(image) < 0 ||
	    write_tables(image, super, ids, id_count) < 0)
		return -1;
	size_t padding = (PADDED_BYTES - image->position % PADDED_BYTES) % PADDED_BYTES;
	if (image_write(image, zeros, padding) < 0 || image_flush(image) < 0)
		return -1;
	ssize_t n = pwrite(image->fd, super, sizeof super, 0);
	if (n == sizeof super)
		return 0;
	if (n >= 0)
		errno = EIO;
	return refuse(image);
}

int zip_to_squashfs(struct zip *zip, int out_fd, uid_t uid, gid_t gid, struct failure *failure)
{
	struct image image = {
		.zip = zip,
		.failure = failure,
		.fd = out_fd,
		.buffer = malloc(BUFFER_BYTES),
		.inodes = calloc(zip->count, sizeof *image.inodes),
	};
	int result;

	if (image.buffer && image.inodes)
		result = write_image(&image, uid, gid);
	else
		result = zip_fail(zip, failure, FUSELAGE_E_OUT_OF_MEMORY, "squashfs tables");
	free(image.buffer);
	free(image.inodes);
	free(image.inode_table.bytes);
	free(image.directory_table.bytes);
	return result;
}
