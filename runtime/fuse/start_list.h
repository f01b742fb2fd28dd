/*
 * Start lists: what a start reads, in order (docs/format.md, "Start list"). Made by anyone: a list
 * says which blocks are worth having, and nothing else is ever done by one.
 */
#ifndef FUSE_START_LIST_H
#define FUSE_START_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define START_LIST_BYTES 65536u /* of a list, at most */
#define START_LIST_RUNS 16384u
#define START_LIST_PAGE 4096u /* bytes, whatever the kernel's pages are */
#define START_LIST_PAGES_MOST (UINT64_C(1) << 51) /* of a file */

struct start_run {
	uint64_t first; /* page */
	uint64_t pages; /* 1 at least; first + pages is at most START_LIST_PAGES_MOST */
	uint32_t number; /* of an inode, not 0; whether it is one of the image is not known here */
};

struct start_list {
	const uint8_t *at;
	const uint8_t *end;
	unsigned runs; /* that were read */
	uint32_t number; /* of the last one */
	uint64_t behind; /* it, the page */
};

/* The runs of these bytes. A list that is too long, or of another version, has none. */
void start_list_open(struct start_list *list, const uint8_t *bytes, size_t size);
/* The next run. False at the end, and before what is no run. */
bool start_list_next(struct start_list *list, struct start_run *run);

/*
 * Writes the runs as a list, as many of them as it may have, and joins those that follow each other.
 * Returns its size in bytes.
 */
size_t start_list_write(const struct start_run *runs, size_t count, uint8_t out[START_LIST_BYTES]);

#endif
