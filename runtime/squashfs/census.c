#include "squashfs/census.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "squashfs/reader.h"

#define ENTRY_HEAD 8
/* Of entries that end in one metadata block; the first of them may begin in the one before. */
#define LISTED_MAX (1 + SQFS_META_SIZE + ENTRY_HEAD + SQFS_NAME_MAX)

/*
 * Metadata blocks follow each other from the start of the table. What starts elsewhere, inside of
 * another one, would show the same bytes once more.
 */
static int find_blocks(struct sqfs_census *census, struct sqfs_reader *reader, uint64_t until)
{
	int error = 0;

	while (!error && census->scanned <= until) {
		struct inode_map_entry *block =
			inode_map_place(&census->listings, (uint32_t)census->scanned + 1);
		uint8_t raw[2];
		if (!block)
			return SQFS_ENOMEM;
		block->count = 1;
		error = image_read(reader, reader->fs->super.directory_table + census->scanned, raw,
				   sizeof raw, "listing");
		census->scanned += sizeof raw + (le16(raw) & 0x7fff);
	}
	return error;
}

int sqfs_census_add(struct sqfs_census *census, struct sqfs_reader *reader,
		    const struct sqfs_entry *entry, const struct sqfs_inode *inode,
		    struct inode_map_entry **place)
{
	int error = entry ? find_blocks(census, reader, entry->block) : 0;

	if (error)
		return error;
	*place = inode_map_place(&census->inodes, inode->number);
	struct inode_map_entry *block =
		entry ? inode_map_place(&census->listings, entry->block + 1) : *place;
	if (!*place || !block)
		return SQFS_ENOMEM;
	if (entry && block->count)
		block->count += ENTRY_HEAD + entry->name_len;
	if ((!entry || (block->count && block->count <= LISTED_MAX)) &&
	    (++(*place)->count == 1 ||
	     (inode->type != SQFS_DIR && (*place)->count <= inode->nlink)))
		return 0;
	return sqfs_fail(reader, SQFS_EDIRECTORY, "inode %" PRIu32 ": listed too often",
			 inode->number);
}

void sqfs_census_free(struct sqfs_census *census)
{
	inode_map_free(&census->inodes);
	inode_map_free(&census->listings);
}
