#include "fuse/readahead_blocks.h"

#include <string.h>

static bool has(const struct readahead_blocks *sweep, uint64_t index)
{
	return sweep->map[index / 8] & 1u << index % 8;
}

static void add(struct readahead_blocks *sweep, uint64_t index)
{
	sweep->map[index / 8] |= (uint8_t)(1u << index % 8);
	sweep->there++;
}

static void begin(struct readahead_blocks *sweep, uint64_t node, const struct sqfs_inode *inode,
		  unsigned block_log)
{
	uint64_t blocks = inode->size >> block_log;

	sweep->node = node;
	sweep->inode = *inode;
	sweep->blocks = blocks <= READAHEAD_BLOCKS_MAX ? (uint32_t)blocks : 0;
	sweep->there = sweep->next = 0;
	memset(sweep->map, 0, sizeof sweep->map);
}

void readahead_blocks_note(struct readahead_blocks *sweep, uint64_t node,
			   const struct sqfs_inode *inode, unsigned block_log, uint64_t index)
{
	if (sweep->node != node)
		begin(sweep, node, inode, block_log);
	if (index < sweep->blocks && !has(sweep, index))
		add(sweep, index);
}

bool readahead_blocks_next(struct readahead_blocks *sweep, uint64_t *index)
{
	if (sweep->there == sweep->blocks ||
	    sweep->there < sweep->blocks / READAHEAD_BLOCKS_SHARE + 1)
		return false;
	while (has(sweep, sweep->next))
		sweep->next = (sweep->next + 1) % sweep->blocks;
	*index = sweep->next;
	add(sweep, *index);
	return true;
}
