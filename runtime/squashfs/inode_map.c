#include "squashfs/inode_map.h"

#include <stdlib.h>

static struct inode_map_entry *probe(const struct inode_map *numbers, uint32_t number)
{
	size_t mask = numbers->room - 1;
	size_t at = (number * UINT32_C(2654435761)) & mask;

	while (numbers->entries[at].number && numbers->entries[at].number != number)
		at = (at + 1) & mask;
	return &numbers->entries[at];
}

static bool grow(struct inode_map *numbers)
{
	struct inode_map larger = { .room = numbers->room ? numbers->room * 2 : 64,
				    .used = numbers->used };

	larger.entries = calloc(larger.room, sizeof *larger.entries);
	if (!larger.entries)
		return false;
	for (size_t i = 0; i < numbers->room; i++)
		if (numbers->entries[i].number)
			*probe(&larger, numbers->entries[i].number) = numbers->entries[i];
	free(numbers->entries);
	*numbers = larger;
	return true;
}

struct inode_map_entry *inode_map_place(struct inode_map *numbers, uint32_t number)
{
	if (numbers->used * 2 >= numbers->room && !grow(numbers))
		return NULL;

	struct inode_map_entry *entry = probe(numbers, number);
	if (!entry->number) {
		entry->number = number;
		numbers->used++;
	}
	return entry;
}

void inode_map_free(struct inode_map *numbers)
{
	for (size_t i = 0; i < numbers->room; i++)
		free(numbers->entries[i].value);
	free(numbers->entries);
	*numbers = (struct inode_map){ 0 };
}
