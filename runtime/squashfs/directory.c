/*
 * Listings: headers (count - 1, inode metadata block, inode number base), each followed by up to
 * 256 entries, sorted by name. An extended directory has an index of some headers for lookups.
 *
 * A cookie is header offset << 9 | index of the entry below it, plus one.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define HEADER_SIZE 12
#define ENTRY_SIZE 8
#define HEADER_ENTRIES 256
#define LISTING_EXTRA 3 /* the size counts "." and "..", which are not there */
#define COOKIE(base, index) (((uint64_t)(base) << 9 | (index)) + 1)

static uint32_t listing_size(const struct sqfs_inode *dir)
{
	return dir->size > LISTING_EXTRA ? (uint32_t)dir->size - LISTING_EXTRA : 0;
}

static int start_listing(struct sqfs_reader *reader, const struct sqfs_inode *dir,
			 struct dir_slot *slot)
{
	const struct sqfs *fs = reader->fs;
	uint64_t start = fs->super.directory_table;

	if (dir->type != SQFS_DIR)
		return sqfs_fail(reader, SQFS_ENOTDIR, "inode %" PRIu32 ": not a directory",
				 dir->number);
	if (dir->dir_start >= directory_limit(fs) - start && listing_size(dir))
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "inode %" PRIu32 ": listing outside the directory table",
				 dir->number);
	slot->ref = dir->ref;
	slot->cursor = (struct meta_cursor){
		.block = start + dir->dir_start,
		.offset = dir->dir_offset,
		.limit = directory_limit(fs),
	};
	slot->base = slot->at = slot->index = slot->count = 0;
	slot->last_len = 0;
	return 0;
}

static int read_header(struct sqfs_reader *reader, const struct sqfs_inode *dir,
		       struct dir_slot *slot)
{
	uint8_t raw[HEADER_SIZE];

	if (listing_size(dir) - slot->at < HEADER_SIZE)
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": header at %" PRIu32 " of %" PRIu32
				 " bytes",
				 dir->number, slot->at, listing_size(dir));
	int error = meta_read(reader, &slot->cursor, raw, sizeof raw);
	if (error)
		return error;
	slot->base = slot->at;
	slot->at += HEADER_SIZE;
	slot->index = 0;
	slot->start = le32(raw + 4);
	slot->number = le32(raw + 8);
	if (le32(raw) >= HEADER_ENTRIES)
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": header with %" PRIu64
				 " entries, expected at most %d",
				 dir->number, (uint64_t)le32(raw) + 1, HEADER_ENTRIES);
	slot->count = le32(raw) + 1;
	return 0;
}

static int check_name(struct sqfs_reader *reader, const struct sqfs_inode *dir,
		      struct dir_slot *slot, const char *name, size_t length)
{
	bool dots = (length == 1 && name[0] == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.');

	if (dots || memchr(name, '/', length) || memchr(name, 0, length))
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": name \"%.*s\" is not allowed", dir->number,
				 (int)length, name);

	size_t common = length < slot->last_len ? length : slot->last_len;
	int order = memcmp(slot->last, name, common);
	if (slot->last_len && (order > 0 || (order == 0 && slot->last_len >= length)))
		return sqfs_fail(
			reader, SQFS_EDIRECTORY, "directory %" PRIu32 ": name \"%.*s\" is %s",
			dir->number, (int)length, name,
			order == 0 && slot->last_len == length ? "there twice" : "out of order");
	memcpy(slot->last, name, length);
	slot->last_len = (uint16_t)length;
	return 0;
}

/* At the end of a header the next entry is the first below the header that follows. */
static uint64_t cookie_of(const struct dir_slot *slot)
{
	return slot->index == slot->count ? COOKIE(slot->at, 0) : COOKIE(slot->base, slot->index);
}

/* The next entry of the listing. Returns 1, 0 at the end, or an error. */
static int step(struct sqfs_reader *reader, const struct sqfs_inode *dir, struct dir_slot *slot,
		struct sqfs_entry *entry)
{
	uint8_t raw[ENTRY_SIZE];
	int error;

	if (slot->index == slot->count) {
		if (slot->at >= listing_size(dir))
			return 0;
		error = read_header(reader, dir, slot);
		if (error)
			return error;
	}
	if (listing_size(dir) - slot->at < ENTRY_SIZE + 1)
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": entry at %" PRIu32 " of %" PRIu32 " bytes",
				 dir->number, slot->at, listing_size(dir));
	error = meta_read(reader, &slot->cursor, raw, sizeof raw);
	if (error)
		return error;

	uint32_t length = (uint32_t)le16(raw + 6) + 1;
	if (length > SQFS_NAME_MAX || length > listing_size(dir) - slot->at - ENTRY_SIZE)
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": name of %" PRIu32 " bytes", dir->number,
				 length);
	error = meta_read(reader, &slot->cursor, entry->name, length);
	if (error)
		return error;
	entry->name[length] = 0;
	entry->name_len = (uint16_t)length;
	entry->type = le16(raw + 4);
	entry->ref = (uint64_t)slot->start << 16 | le16(raw);
	int32_t delta = (int16_t)le16(raw + 2);
	entry->number = slot->number + (uint32_t)delta;
	if (entry->type == 0 || entry->type > SQFS_SOCKET)
		return sqfs_fail(reader, SQFS_EDIRECTORY,
				 "directory %" PRIu32 ": entry of type %u, expected 1 to 7",
				 dir->number, entry->type);
	error = check_name(reader, dir, slot, entry->name, length);
	if (error)
		return error;
	entry->block = (uint32_t)(slot->cursor.block - reader->fs->super.directory_table);
	slot->at += ENTRY_SIZE + length;
	slot->index++;
	entry->next = cookie_of(slot);
	return 1;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/*
 * Moves the slot to the last indexed header whose first name is not behind `name`, or, without a
 * name, that does not stand behind `position` in the listing.
 */
static int use_index(struct sqfs_reader *reader, const struct sqfs_inode *dir, const char *name,
		     size_t name_len, uint64_t position, struct dir_slot *slot)
{
	const struct sqfs *fs = reader->fs;
	struct meta_cursor cursor = {
		.block = dir->tail_block,
		.offset = dir->tail_offset,
		.limit = inode_limit(fs),
	};

	for (unsigned i = 0; i < dir->dir_index_count; i++) {
		uint8_t raw[12];
		char first[SQFS_NAME_MAX];
		int error = meta_read(reader, &cursor, raw, sizeof raw);
		if (error)
			return error;

		uint32_t at = le32(raw);
		uint32_t start = le32(raw + 4);
		uint64_t length = (uint64_t)le32(raw + 8) + 1;
		if (length > SQFS_NAME_MAX || at >= listing_size(dir) ||
		    start >= directory_limit(fs) - fs->super.directory_table)
			return sqfs_fail(reader, SQFS_EDIRECTORY,
					 "directory %" PRIu32 ": index entry %u is out of range",
					 dir->number, i);
		error = meta_read(reader, &cursor, first, (size_t)length);
		if (error)
			return error;
		if (name ? compare(first, (size_t)length, name, name_len) > 0 : at > position)
			break;
		slot->at = slot->base = at;
		slot->cursor.block = fs->super.directory_table + start;
		slot->cursor.offset = (uint32_t)(((uint64_t)dir->dir_offset + at) % SQFS_META_SIZE);
	}
	return 0;
}

/*
 * Walks to the entry that the cookie names. Anyone who may list the directory chooses the number
 * (lseek(2)), and bytes read from a place where no header stands are names that nobody gave, of
 * inodes that are not there, which the kernel would remember. So nothing is read from a place that
 * the listing does not lead to. Returns 1, 0 when it is the end or none of this listing, or an
 * error.
 */
static int seek(struct sqfs_reader *reader, const struct sqfs_inode *dir, uint64_t cookie,
		struct dir_slot *slot)
{
	uint64_t base = (cookie - 1) >> 9;
	struct sqfs_entry skipped;
	int found = start_listing(reader, dir, slot);

	if (!found && base >= listing_size(dir))
		return 0;
	if (!found)
		found = use_index(reader, dir, NULL, 0, base, slot);
	if (found < 0)
		return found;
	while (cookie_of(slot) < cookie) {
		found = step(reader, dir, slot, &skipped);
		if (found <= 0)
			return found;
	}
	return cookie_of(slot) == cookie;
}

static struct dir_slot *find_slot(struct sqfs_reader *reader, uint64_t ref, uint64_t cookie)
{
	struct dir_slot *oldest = &reader->dirs[0];

	for (size_t i = 0; i < DIR_SLOTS; i++) {
		struct dir_slot *slot = &reader->dirs[i];
		if (slot->cookie == cookie && slot->ref == ref)
			return slot;
		if (slot->stamp < oldest->stamp)
			oldest = slot;
	}
	oldest->cookie = 0;
	return oldest;
}

int sqfs_dir_next(struct sqfs_reader *reader, const struct sqfs_inode *dir, uint64_t cookie,
		  struct sqfs_entry *entry)
{
	if (cookie == 0)
		cookie = COOKIE(0, 0);

	struct dir_slot *slot = find_slot(reader, dir->ref, cookie);
	if (slot->cookie != cookie) {
		int found = seek(reader, dir, cookie, slot);
		if (found <= 0)
			return found;
	}
	slot->cookie = 0; /* stays so on failure */
	int found = step(reader, dir, slot, entry);
	if (found == 1) {
		slot->cookie = entry->next;
		slot->stamp = ++reader->clock;
	}
	return found;
}

/* Where the last lookup in this directory ended, or a slot for it. */
static struct dir_slot *find_lookup(struct sqfs_reader *reader, uint64_t ref)
{
	struct dir_slot *oldest = &reader->lookups[0];

	for (size_t i = 0; i < DIR_SLOTS; i++) {
		struct dir_slot *slot = &reader->lookups[i];
		if (slot->cookie && slot->ref == ref)
			return slot;
		if (slot->stamp < oldest->stamp)
			oldest = slot;
	}
	oldest->cookie = 0;
	return oldest;
}

/* Names are mostly looked up in the order in which a listing gave them. */
int sqfs_dir_lookup(struct sqfs_reader *reader, const struct sqfs_inode *dir, const char *name,
		    size_t name_len, struct sqfs_entry *entry)
{
	struct dir_slot *last = find_lookup(reader, dir->ref);
	struct dir_slot slot = *last;
	int error = 0;

	if (!slot.cookie || compare(slot.last, slot.last_len, name, name_len) >= 0) {
		error = start_listing(reader, dir, &slot);
		if (!error && dir->dir_index_count)
			error = use_index(reader, dir, name, name_len, 0, &slot);
	}
	last->cookie = 0; /* stays so on failure */
	while (!error) {
		int found = step(reader, dir, &slot, entry);
		if (found < 0)
			return found;
		int order = found ? compare(entry->name, entry->name_len, name, name_len) : 1;
		if (order < 0)
			continue;
		slot.cookie = 1;
		slot.stamp = ++reader->clock;
		*last = slot;
		if (order == 0)
			return 0;
		return sqfs_fail(reader, SQFS_ENOENT, "directory %" PRIu32 ": no entry \"%.*s\"",
				 dir->number, (int)(name_len < 80 ? name_len : 80), name);
	}
	return error;
}
