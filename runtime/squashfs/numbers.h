/* Sets and maps keyed by inode number, grown by what is really there, never by a claimed count. */
#ifndef SQUASHFS_NUMBERS_H
#define SQUASHFS_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct numbers {
	struct number_entry {
		uint32_t number; /* 0: free; no inode has it */
		char *value;
	} * entries;
	size_t room; /* a power of two, or 0 */
	size_t used;
};

/*
 * Finds the place of `number`, making it when it is not there (`*added`). The pointer is valid
 * until the next call. NULL: no memory.
 */
char **numbers_place(struct numbers *numbers, uint32_t number, bool *added);
/* Frees the values too. */
void numbers_free(struct numbers *numbers);

#endif
