#include "walk.h"

#include <limits.h>
#include <string.h>

#define ENTRIES_MAX 4000

static void read_file(struct sqfs_reader *reader, const struct sqfs_inode *inode, uint64_t *budget)
{
	static uint8_t buffer[70000];
	uint64_t position = 0;

	while (*budget) {
		ssize_t n = sqfs_pread(reader, inode, buffer, sizeof buffer, position);
		if (n <= 0)
			break;
		position += (uint64_t)n;
		*budget -= *budget < (uint64_t)n ? *budget : (uint64_t)n;
	}
	/* And somewhere far away, as a seek would. */
	sqfs_pread(reader, inode, buffer, 16, inode->size / 2);
	sqfs_prefetch(reader, inode, inode->size / 3);
	sqfs_block_spent(reader);
	sqfs_pread(reader, inode, buffer, 16, inode->size ? inode->size - 1 : 0);
}

static void read_xattrs(struct sqfs_reader *reader, const struct sqfs_inode *inode)
{
	static char list[65536], value[65536];
	ssize_t n = sqfs_listxattr(reader, inode, list, sizeof list);

	for (char *name = list; n > 0 && name < list + n; name += strlen(name) + 1)
		sqfs_getxattr(reader, inode, name, value, sizeof value);
}

void walk(struct sqfs_reader *reader, uint64_t budget)
{
	static uint64_t pending[ENTRIES_MAX];
	size_t count = 0, seen = 0;
	char target[PATH_MAX];

	pending[count++] = sqfs_reader_fs(reader)->super.root_ref;
	while (count) {
		struct sqfs_inode dir, inode;
		struct sqfs_entry entry, again;
		uint64_t cookie = 0, after;
		if (sqfs_inode_read(reader, pending[--count], &dir) || dir.type != SQFS_DIR)
			continue;
		for (uint64_t bit = 1; bit; bit <<= 9)
			sqfs_dir_next(reader, &dir, bit * dir.number, &entry);
		read_xattrs(reader, &dir);
		while (seen < ENTRIES_MAX && sqfs_dir_next(reader, &dir, cookie, &entry) == 1) {
			seen++;
			cookie = entry.next;
			sqfs_dir_lookup(reader, &dir, entry.name, entry.name_len, &again);
			if (sqfs_inode_read(reader, entry.ref, &inode))
				continue;
			read_xattrs(reader, &inode);
			sqfs_inode_after(reader, &inode, &after);
			sqfs_inode_by_number(reader, entry.number, &after);
			if (inode.type == SQFS_DIR && count < ENTRIES_MAX)
				pending[count++] = entry.ref;
			else if (inode.type == SQFS_FILE)
				read_file(reader, &inode, &budget);
			else if (inode.type == SQFS_SYMLINK)
				sqfs_readlink(reader, &inode, target, sizeof target);
		}
	}
	for (uint32_t i = 0; i < 8; i++)
		sqfs_prefetch_fragment(reader, i);
	struct sqfs_inode inode;
	sqfs_path_lookup(reader, "links/loop/x/../y", true, &inode);
	sqfs_path_lookup(reader, "../../dir/./file", true, &inode);
}
