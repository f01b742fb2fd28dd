/*
 * What was read, in the order in which it was asked for, into a file that the starter has opened: the
 * server can open none. It is written once, when there is no more to come.
 */
#ifndef FUSE_READS_H
#define FUSE_READS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a page here, whatever the kernel's are. */
#define READS_PAGE 4096u

/* READs that are kept of a recording; those that follow are not. */
#define READS_RECORDED 262144u
/* Bytes that such a file has at the most. */
#define READS_FILE_MOST (16u << 20)

struct fuse_read {
	uint64_t first; /* page */
	uint32_t pages; /* 0: none, or not written down yet */
	uint32_t number; /* of the inode */
	uint32_t milliseconds; /* since the mount */
};

struct fuse_reads {
	int file; /* to write them to */
	struct fuse_read *list; /* NULL: nothing is kept */
	size_t room;
	atomic_size_t count; /* of all that came, also of those for which there was no room */
	double began; /* by clock_milliseconds */
};

/* Without memory nothing is kept, and the file stays empty. */
void reads_init(struct fuse_reads *reads, int file, size_t room);
/* The bytes from `start` to before `end`, which is larger, of a file were asked for. */
void reads_note(struct fuse_reads *reads, uint32_t number, uint64_t start, uint64_t end);
/* Writes a recording: docs/format.md. A file without its last line is not complete. */
void reads_write_recording(struct fuse_reads *reads);
/* Writes all of it to where the file stands. False: there is no room, or another reason. */
bool reads_put(int file, const void *bytes, size_t size);

#endif
