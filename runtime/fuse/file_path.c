#include "fuse/file_path.h"

#include <string.h>

#define NAMES_MAX (1u << 16)

/* Puts a name behind the first `length` bytes of the path. Returns the length with it, or 0. */
static size_t append(struct fuse_file_path *walk, size_t length, const struct sqfs_entry *entry)
{
	char *to = walk->path + length;

	if (entry->name_len + 2u > sizeof walk->path - length)
		return 0;
	*to++ = '/';
	for (size_t i = 0; i < entry->name_len; i++) {
		unsigned char c = (unsigned char)entry->name[i];
		*to++ = c < 0x20 || c == 0x7f ? '?' : (char)c;
	}
	*to = 0;
	return length + 1 + entry->name_len;
}

bool fuse_file_path_find(struct sqfs_reader *reader, uint64_t ref, struct fuse_file_path *walk)
{
	size_t depth = 1;
	struct sqfs_entry entry;

	walk->levels[0].cookie = 0;
	walk->levels[0].length = 0;
	if (sqfs_inode_read(reader, sqfs_reader_fs(reader)->super.root_ref, &walk->levels[0].dir))
		return false;
	for (unsigned names = 0; depth && names < NAMES_MAX; names++) {
		struct fuse_file_path_level *level = &walk->levels[depth - 1];
		if (sqfs_dir_next(reader, &level->dir, level->cookie, &entry) <= 0) {
			depth--;
			continue;
		}
		level->cookie = entry.next;
		if (entry.ref != ref && (entry.type != SQFS_DIR || depth == FILE_PATH_DEPTH))
			continue;
		size_t length = append(walk, level->length, &entry);
		if (entry.ref == ref)
			return length > 0;
		if (length == 0 || sqfs_inode_read(reader, entry.ref, &level[1].dir) ||
		    level[1].dir.type != SQFS_DIR)
			continue;
		level[1].cookie = 0;
		level[1].length = length;
		depth++;
	}
	return false;
}
