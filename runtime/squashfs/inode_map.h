/* Maps keyed by a number that is not 0, grown by what is really there, never by a claimed count. */
#ifndef SQUASHFS_INODE_MAP_H
#define SQUASHFS_INODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode_map_entry {
	uint32_t number; /* 0: free */
	uint32_t count; /* 0 in a new one */
	char *value; /* NULL in a new one */
};

struct inode_map {
	struct inode_map_entry *entries;
	size_t room; /* a power of two, or 0 */
	size_t used;
};

/*
 * Finds the place of `number`, making it when it is not there. The pointer is valid until the next
 * call. NULL: no memory.
 */
struct inode_map_entry *inode_map_place(struct inode_map *numbers, uint32_t number);
/* Frees the values too. */
void inode_map_free(struct inode_map *numbers);

#endif
