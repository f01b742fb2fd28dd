/* Extended attributes: an id names a run of keys and values, values may stand elsewhere. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define PREFIX_MASK 0xffu
#define VALUE_ELSEWHERE 0x100u
#define COUNT_MAX 16384 /* XATTR_LIST_MAX is 64 KiB, the shortest name takes more than 4 */
#define NAME_MAX_BYTES 255

static const char *const prefixes[] = { "user.", "trusted.", "security." };

struct xattr_run {
	struct meta_cursor cursor;
	uint32_t left;
};

static int open_run(struct sqfs_reader *reader, const struct sqfs_inode *inode,
		    struct xattr_run *run)
{
	const struct sqfs *fs = reader->fs;
	uint8_t raw[16];

	run->left = 0;
	if (inode->xattr == SQFS_NO_ENTRY || fs->super.xattr_table == SQFS_NO_TABLE)
		return 0;
	if (inode->xattr >= fs->xattr_ids)
		return sqfs_fail(reader, SQFS_EXATTR,
				 "inode %" PRIu32 ": xattr id %" PRIu32 " of %" PRIu32,
				 inode->number, inode->xattr, fs->xattr_ids);
	int error = table_read(reader, fs->xattr_index, inode->xattr, sizeof raw, raw, "xattr");
	if (error)
		return error;

	uint64_t ref = le64(raw);
	run->left = le32(raw + 8);
	if (run->left > COUNT_MAX || ref >> 16 >= fs->super.xattr_table - fs->xattr_values)
		return sqfs_fail(reader, SQFS_EXATTR,
				 "xattr id %" PRIu32 ": %" PRIu32 " attributes at %" PRIu64,
				 inode->xattr, run->left, ref >> 16);
	run->cursor = (struct meta_cursor){
		.block = fs->xattr_values + (ref >> 16),
		.offset = ref & 0xffff,
		.limit = fs->super.xattr_table,
	};
	return 0;
}

/* Full name of the next key into `name` (>= 266 bytes); `*elsewhere` is its value flag. */
static int next_key(struct sqfs_reader *reader, struct xattr_run *run, char *name, bool *elsewhere)
{
	uint8_t raw[4];
	int error = meta_read(reader, &run->cursor, raw, sizeof raw);

	if (error)
		return error;
	unsigned type = le16(raw);
	unsigned length = le16(raw + 2);
	unsigned prefix = type & PREFIX_MASK;
	if (prefix >= sizeof prefixes / sizeof *prefixes || length == 0 || length > NAME_MAX_BYTES)
		return sqfs_fail(reader, SQFS_EXATTR, "xattr: key of type 0x%x with %u bytes", type,
				 length);
	*elsewhere = type & VALUE_ELSEWHERE;
	size_t head = strlen(prefixes[prefix]);
	memcpy(name, prefixes[prefix], head);
	error = meta_read(reader, &run->cursor, name + head, length);
	if (error)
		return error;
	name[head + length] = 0;
	if (strlen(name) != head + length)
		return sqfs_fail(reader, SQFS_EXATTR, "xattr: NUL in a name");
	return 0;
}

/* Moves behind the value; with `value` also reads it. Returns its size or an error. */
static ssize_t next_value(struct sqfs_reader *reader, struct xattr_run *run, bool elsewhere,
			  bool wanted, void *value, size_t size)
{
	const struct sqfs *fs = reader->fs;
	struct meta_cursor from;
	uint8_t raw[8];
	int error = meta_read(reader, &run->cursor, raw, 4);

	if (error)
		return error;
	uint32_t length = le32(raw);
	if (length > SQFS_XATTR_MAX || (elsewhere && length != 8))
		return sqfs_fail(reader, SQFS_EXATTR, "xattr: value of %" PRIu32 " bytes", length);
	from = run->cursor;
	error = meta_read(reader, &run->cursor, NULL, length);
	if (error || !wanted)
		return error;
	if (elsewhere) {
		error = meta_read(reader, &from, raw, 8);
		if (error)
			return error;
		uint64_t ref = le64(raw);
		if (ref >> 16 >= fs->super.xattr_table - fs->xattr_values)
			return sqfs_fail(reader, SQFS_EXATTR, "xattr: value at %" PRIu64,
					 ref >> 16);
		from.block = fs->xattr_values + (ref >> 16);
		from.offset = ref & 0xffff;
		error = meta_read(reader, &from, raw, 4);
		if (error)
			return error;
		length = le32(raw);
		if (length > SQFS_XATTR_MAX)
			return sqfs_fail(reader, SQFS_EXATTR, "xattr: value of %" PRIu32 " bytes",
					 length);
	}
	if (size) {
		if (size < length)
			return sqfs_fail(reader, SQFS_ERANGE, "xattr: value of %" PRIu32 " bytes",
					 length);
		error = meta_read(reader, &from, value, length);
	}
	return error ? error : (ssize_t)length;
}

int sqfs_each_xattr(struct sqfs_reader *reader, const struct sqfs_inode *inode, void *value,
		    sqfs_xattr_visitor *visit, void *context)
{
	char name[16 + NAME_MAX_BYTES + 1];
	struct xattr_run run;
	int error = open_run(reader, inode, &run);

	for (; !error && run.left; run.left--) {
		bool elsewhere;
		error = next_key(reader, &run, name, &elsewhere);
		if (error)
			break;
		ssize_t size = next_value(reader, &run, elsewhere, value, value, SQFS_XATTR_MAX);
		error = size < 0 ? (int)size : visit(context, name, value, (size_t)size);
	}
	return error;
}

struct list {
	struct sqfs_reader *reader;
	char *names;
	size_t size;
	size_t used;
};

static int add_name(void *context, const char *name, const void *value, size_t value_size)
{
	struct list *list = context;
	size_t length = strlen(name) + 1;

	(void)value;
	(void)value_size;
	if (list->size) {
		if (list->size - list->used < length)
			return sqfs_fail(list->reader, SQFS_ERANGE, "xattr: list too long");
		memcpy(list->names + list->used, name, length);
	}
	list->used += length;
	return 0;
}

ssize_t sqfs_listxattr(struct sqfs_reader *reader, const struct sqfs_inode *inode, char *names,
		       size_t size)
{
	struct list list = { .reader = reader, .names = names, .size = size };
	int error = sqfs_each_xattr(reader, inode, NULL, add_name, &list);

	return error ? error : (ssize_t)list.used;
}

ssize_t sqfs_getxattr(struct sqfs_reader *reader, const struct sqfs_inode *inode,
		      const char *wanted, void *value, size_t size)
{
	char name[16 + NAME_MAX_BYTES + 1];
	struct xattr_run run;
	ssize_t error = open_run(reader, inode, &run);

	for (; !error && run.left; run.left--) {
		bool elsewhere;
		error = next_key(reader, &run, name, &elsewhere);
		if (error)
			break;
		if (strcmp(name, wanted) == 0)
			return next_value(reader, &run, elsewhere, true, value, size);
		error = next_value(reader, &run, elsewhere, false, NULL, 0);
	}
	return error ? error : sqfs_fail(reader, SQFS_ENOENT, "xattr: no %.80s", wanted);
}
