/*
 * Start lists of images that the kernel mounts: a process reads what a list names into the page cache, in
 * order, so that the kernel decompresses it on another processor before the app asks.
 */
#ifndef MOUNT_PAGE_IN_H
#define MOUNT_PAGE_IN_H

#include "fuse/kept.h"
#include "kernel/identity.h"

struct page_in {
	const char *target; /* where the image is mounted, in this namespace */
	int host_namespace; /* of mounts, which the process goes to, or -1 */
	unsigned block_log; /* of the image */
	const struct fuse_kept *kept; /* files that nobody reads there */
	const uint8_t *list;
	size_t size; /* of it, bytes */
};

/*
 * Leaves a process behind that does so, with a lower claim to the processor, and ends with the app. By root
 * alone, as the mount. What cannot be done is not.
 */
void page_in_start(const struct identity *identity, const struct page_in *wanted);

#endif
