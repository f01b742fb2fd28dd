#include "fuse/reads.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "base/pages.h"

#define LINE_MOST 64
#define BUFFER_BYTES (64u << 10)

void reads_init(struct fuse_reads *reads, int file, size_t room)
{
	reads->list = file < 0 ? NULL : pages_new(room, sizeof *reads->list);
	reads->file = file;
	reads->room = room;
	reads->began = file < 0 ? 0 : clock_milliseconds();
}

void reads_note(struct fuse_reads *reads, uint32_t number, uint64_t start, uint64_t end)
{
	if (!reads->list)
		return;
	size_t at = atomic_fetch_add_explicit(&reads->count, 1, memory_order_relaxed);
	if (at >= reads->room)
		return;
	struct fuse_read *read = &reads->list[at];
	read->number = number;
	read->first = start / READS_PAGE;
	read->milliseconds = (uint32_t)(clock_milliseconds() - reads->began);
	read->pages = (uint32_t)((end - 1) / READS_PAGE - read->first + 1);
}

bool reads_put(int file, const void *bytes, size_t size)
{
	const char *at = bytes;

	/* The only call to write that the sandbox leaves. */
	while (size) {
		struct iovec part = { (void *)(uintptr_t)at, size };
		ssize_t n = writev(file, &part, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

void reads_write_recording(struct fuse_reads *reads)
{
	size_t count = atomic_load(&reads->count);
	static char buffer[BUFFER_BYTES]; /* once in a process, which ends with this */
	size_t used;

	used = (size_t)snprintf(buffer, LINE_MOST, "fuselage recording 1\n");
	for (size_t i = 0; i < count && i < reads->room; i++) {
		const struct fuse_read *read = &reads->list[i];
		if (read->pages)
			used += (size_t)snprintf(buffer + used, LINE_MOST,
						 "%" PRIu32 " %" PRIu32 " %" PRIu64 " %" PRIu32
						 "\n",
						 read->milliseconds, read->number, read->first,
						 read->pages);
		if (used < BUFFER_BYTES - 2 * LINE_MOST)
			continue;
		if (!reads_put(reads->file, buffer, used))
			return;
		used = 0;
	}
	used += (size_t)snprintf(buffer + used, LINE_MOST, "end\n");
	reads_put(reads->file, buffer, used);
}
