/* Inodes: a common head of 16 bytes, then what its type needs. */
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define TAIL_MAX 40 /* longest fixed part behind the head: an extended file */

static const mode_t type_bits[] = {
	[SQFS_DIR] = S_IFDIR,
	[SQFS_FILE] = S_IFREG,
	[SQFS_SYMLINK] = S_IFLNK,
	[SQFS_BLOCK_DEVICE] = S_IFBLK,
	[SQFS_CHARACTER_DEVICE] = S_IFCHR,
	[SQFS_FIFO] = S_IFIFO,
	[SQFS_SOCKET] = S_IFSOCK,
};

/* Bytes of the fixed part behind the head, by type as stored. */
static const uint8_t fixed_size[] = {
	[SQFS_DIR] = 16,
	[SQFS_FILE] = 16,
	[SQFS_SYMLINK] = 8,
	[SQFS_BLOCK_DEVICE] = 8,
	[SQFS_CHARACTER_DEVICE] = 8,
	[SQFS_FIFO] = 4,
	[SQFS_SOCKET] = 4,
	[SQFS_DIR + SQFS_EXTENDED] = 24,
	[SQFS_FILE + SQFS_EXTENDED] = 40,
	[SQFS_SYMLINK + SQFS_EXTENDED] = 8,
	[SQFS_BLOCK_DEVICE + SQFS_EXTENDED] = 12,
	[SQFS_CHARACTER_DEVICE + SQFS_EXTENDED] = 12,
	[SQFS_FIFO + SQFS_EXTENDED] = 8,
	[SQFS_SOCKET + SQFS_EXTENDED] = 8,
};

static int owner(struct sqfs_reader *reader, unsigned index, uint32_t *id)
{
	const struct sqfs *fs = reader->fs;
	struct id_slot *slot = &reader->ids[index % ID_SLOTS];
	uint8_t raw[4];

	if (slot->index == index + 1) {
		*id = slot->id;
		return 0;
	}
	if (index >= fs->super.id_count)
		return sqfs_fail(reader, SQFS_EINODE, "inode: id %u of %u", index,
				 fs->super.id_count);
	int error = table_read(reader, fs->super.id_table, index, sizeof raw, raw, "id");
	if (error)
		return error;
	*id = le32(raw);
	*slot = (struct id_slot){ .index = index + 1, .id = *id };
	return 0;
}

static void decode_directory(struct sqfs_inode *inode, const uint8_t *raw, bool extended)
{
	if (extended) {
		inode->nlink = le32(raw);
		inode->size = le32(raw + 4);
		inode->dir_start = le32(raw + 8);
		inode->parent = le32(raw + 12);
		inode->dir_index_count = le16(raw + 16);
		inode->dir_offset = le16(raw + 18);
		inode->xattr = le32(raw + 20);
	} else {
		inode->dir_start = le32(raw);
		inode->nlink = le32(raw + 4);
		inode->size = le16(raw + 8);
		inode->dir_offset = le16(raw + 10);
		inode->parent = le32(raw + 12);
	}
}

static void decode_file(struct sqfs_inode *inode, const uint8_t *raw, bool extended)
{
	if (extended) {
		inode->blocks_start = le64(raw);
		inode->size = le64(raw + 8);
		inode->sparse = le64(raw + 16);
		inode->nlink = le32(raw + 24);
		inode->fragment = le32(raw + 28);
		inode->fragment_offset = le32(raw + 32);
		inode->xattr = le32(raw + 36);
	} else {
		inode->blocks_start = le32(raw);
		inode->fragment = le32(raw + 4);
		inode->fragment_offset = le32(raw + 8);
		inode->size = le32(raw + 12);
		inode->nlink = 1;
	}
}

static int check_directory(struct sqfs_reader *reader, const struct sqfs_inode *inode)
{
	if (inode->dir_offset >= SQFS_META_SIZE)
		return sqfs_fail(reader, SQFS_EINODE,
				 "inode %" PRIu32 ": listing at offset %u of a metadata block",
				 inode->number, inode->dir_offset);
	return 0;
}

static int check_file(struct sqfs_reader *reader, const struct sqfs_inode *inode)
{
	const struct sqfs_super *super = &reader->fs->super;
	uint64_t tail = inode->size & (super->block_size - 1);

	if (inode->size > INT64_MAX)
		return sqfs_fail(reader, SQFS_EINODE, "inode %" PRIu32 ": size %" PRIu64,
				 inode->number, inode->size);
	if (inode->fragment == SQFS_NO_ENTRY)
		return 0;
	if (inode->fragment >= super->fragment_count)
		return sqfs_fail(reader, SQFS_EFRAGMENT,
				 "inode %" PRIu32 ": fragment %" PRIu32 " of %" PRIu32,
				 inode->number, inode->fragment, super->fragment_count);
	if (inode->fragment_offset > super->block_size ||
	    tail > super->block_size - inode->fragment_offset)
		return sqfs_fail(reader, SQFS_EFRAGMENT,
				 "inode %" PRIu32 ": %" PRIu64 " bytes at %" PRIu32
				 " of a fragment block of %" PRIu32,
				 inode->number, tail, inode->fragment_offset, super->block_size);
	return 0;
}

/* An extended symlink keeps its xattr index behind the target. */
static int read_symlink_xattr(struct sqfs_reader *reader, struct sqfs_inode *inode,
			      struct meta_cursor cursor)
{
	uint8_t raw[4];
	int error = meta_read(reader, &cursor, NULL, (size_t)inode->size);

	if (!error)
		error = meta_read(reader, &cursor, raw, sizeof raw);
	if (!error)
		inode->xattr = le32(raw);
	return error;
}

static int decode_rest(struct sqfs_reader *reader, struct sqfs_inode *inode, const uint8_t *raw,
		       bool extended, struct meta_cursor tail)
{
	switch (inode->type) {
	case SQFS_DIR:
		decode_directory(inode, raw, extended);
		return check_directory(reader, inode);
	case SQFS_FILE:
		decode_file(inode, raw, extended);
		return check_file(reader, inode);
	case SQFS_SYMLINK:
		inode->nlink = le32(raw);
		inode->size = le32(raw + 4);
		if (inode->size == 0 || inode->size >= PATH_MAX)
			return sqfs_fail(reader, SQFS_EINODE,
					 "inode %" PRIu32 ": symlink target of %" PRIu64
					 " bytes, expected 1 to %d",
					 inode->number, inode->size, PATH_MAX - 1);
		return extended ? read_symlink_xattr(reader, inode, tail) : 0;
	case SQFS_BLOCK_DEVICE:
	case SQFS_CHARACTER_DEVICE:
		inode->nlink = le32(raw);
		inode->rdev = le32(raw + 4);
		if (extended)
			inode->xattr = le32(raw + 8);
		return 0;
	default: /* fifo, socket */
		inode->nlink = le32(raw);
		if (extended)
			inode->xattr = le32(raw + 4);
		return 0;
	}
}

int sqfs_inode_read(struct sqfs_reader *reader, uint64_t ref, struct sqfs_inode *inode)
{
	const struct sqfs *fs = reader->fs;
	uint64_t start = fs->super.inode_table;
	struct meta_cursor cursor = { .offset = ref & 0xffff, .limit = inode_limit(fs) };
	uint8_t head[16];
	uint8_t fixed[TAIL_MAX];
	int error;

	*inode = (struct sqfs_inode){ .ref = ref,
				      .xattr = SQFS_NO_ENTRY,
				      .fragment = SQFS_NO_ENTRY };
	if (ref >> 16 >= inode_limit(fs) - start || (ref & 0xffff) >= SQFS_META_SIZE)
		return sqfs_fail(reader, SQFS_EINODE,
				 "inode reference %" PRIu64 ":%u is outside the inode table",
				 ref >> 16, (unsigned)(ref & 0xffff));
	cursor.block = start + (ref >> 16);
	error = meta_read(reader, &cursor, head, sizeof head);
	if (error)
		return error;

	unsigned stored = le16(head);
	if (stored == 0 || stored > SQFS_SOCKET + SQFS_EXTENDED)
		return sqfs_fail(reader, SQFS_EINODE,
				 "inode at %" PRIu64 ":%u: type %u, expected 1 to 14", ref >> 16,
				 (unsigned)(ref & 0xffff), stored);
	bool extended = stored > SQFS_SOCKET;
	inode->extended = extended;
	inode->type = (uint16_t)(extended ? stored - SQFS_EXTENDED : stored);
	inode->mode = (uint16_t)((le16(head + 2) & 07777) | type_bits[inode->type]);
	inode->mtime = le32(head + 8);
	inode->number = le32(head + 12);
	if (inode->number == 0 || inode->number > fs->super.inode_count)
		return sqfs_fail(reader, SQFS_EINODE,
				 "inode at %" PRIu64 ":%u: number %" PRIu32 " of %" PRIu32,
				 ref >> 16, (unsigned)(ref & 0xffff), inode->number,
				 fs->super.inode_count);
	error = owner(reader, le16(head + 4), &inode->uid);
	if (!error)
		error = owner(reader, le16(head + 6), &inode->gid);
	if (!error)
		error = meta_read(reader, &cursor, fixed, fixed_size[stored]);
	if (!error)
		error = decode_rest(reader, inode, fixed, extended, cursor);
	if (error)
		return error;
	inode->tail_block = cursor.block;
	inode->tail_offset = cursor.offset;
	return 0;
}

/* Bytes behind the fixed part of a file or symlink. */
static uint64_t rest_size(const struct sqfs_reader *reader, const struct sqfs_inode *inode)
{
	const struct sqfs_super *super = &reader->fs->super;
	uint64_t blocks = inode->size >> super->block_log;

	if (inode->type == SQFS_SYMLINK)
		return inode->size + (inode->extended ? 4 : 0);
	if (inode->type != SQFS_FILE)
		return 0;
	if (inode->fragment == SQFS_NO_ENTRY && inode->size & (super->block_size - 1))
		blocks++;
	return blocks * 4;
}

int sqfs_inode_after(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t *ref)
{
	struct meta_cursor cursor = {
		.block = inode->tail_block,
		.offset = inode->tail_offset,
		.limit = inode_limit(reader->fs),
	};
	const struct block *block;
	int error = meta_read(reader, &cursor, NULL, (size_t)rest_size(reader, inode));

	for (unsigned i = 0; !error && inode->type == SQFS_DIR && i < inode->dir_index_count; i++) {
		uint8_t raw[12]; /* an index: two words, then the length of a name - 1 */
		error = meta_read(reader, &cursor, raw, sizeof raw);
		if (!error)
			error = meta_read(reader, &cursor, NULL, (size_t)le32(raw + 8) + 1);
	}
	if (!error)
		error = meta_load(reader, cursor.block, cursor.limit, &block);
	if (error)
		return error;
	if (cursor.offset >= block->length)
		cursor = (struct meta_cursor){ .block = block->next };
	*ref = (cursor.block - reader->fs->super.inode_table) << 16 | cursor.offset;
	return 0;
}

int sqfs_inode_by_number(struct sqfs_reader *reader, uint32_t number, uint64_t *ref)
{
	const struct sqfs_super *super = &reader->fs->super;
	uint8_t raw[8];

	if (super->export_table == SQFS_NO_TABLE || number == 0 || number > super->inode_count)
		return sqfs_fail(reader, SQFS_ENOENT, "inode number %" PRIu32 ": not in the image",
				 number);
	int error = table_read(reader, super->export_table, number - 1, sizeof raw, raw, "export");
	*ref = le64(raw);
	return error;
}

ssize_t sqfs_readlink(struct sqfs_reader *reader, const struct sqfs_inode *inode, char *buffer,
		      size_t size)
{
	struct meta_cursor cursor = {
		.block = inode->tail_block,
		.offset = inode->tail_offset,
		.limit = inode_limit(reader->fs),
	};

	if (inode->type != SQFS_SYMLINK)
		return sqfs_fail(reader, SQFS_EINODE, "inode %" PRIu32 ": not a symlink",
				 inode->number);
	if (size <= inode->size)
		return sqfs_fail(reader, SQFS_ERANGE,
				 "inode %" PRIu32 ": target of %" PRIu64 " bytes", inode->number,
				 inode->size);
	int error = meta_read(reader, &cursor, buffer, (size_t)inode->size);
	if (error)
		return error;
	if (memchr(buffer, 0, (size_t)inode->size))
		return sqfs_fail(reader, SQFS_EINODE,
				 "inode %" PRIu32 ": NUL in the symlink target", inode->number);
	buffer[inode->size] = 0;
	return (ssize_t)inode->size;
}
