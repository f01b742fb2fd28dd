/*
 * Squashfs images made of zip archives, kept for later starts (--cache-static):
 *
 *   <home>/cache/<key>.sfs       the image; key: first 16 hex digits of the archive's SHA-256
 *   <home>/cache/<key>.complete  says that it is whole, and holds all 64 digits; its time is the
 *                                image's last use
 *   <home>/cache/<key>.lock      held (flock) by who builds or removes the entry
 *   <home>/cache/<key>.<random>.partial  an image that is being built
 *   <home>/cache/.reaped         its time is when the cache was last cleaned up
 */
#ifndef CACHE_ZIP_IMAGES_H
#define CACHE_ZIP_IMAGES_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/privileges.h"

/*
 * Returns a descriptor (read-only, close-on-exec) of the whole image of the zip archive in the
 * first `size` bytes of `zip_fd`, built if there is none; or -1. The process must act as
 * the caller (fsuid). Of several processes that need the same image one builds
 * it and the others wait. Failures: those of zip_open, and E_CACHE for the rest.
 */
int cache_open(const char *home, int zip_fd, uint64_t size, const char *file,
	       const struct caller *caller, struct failure *failure);

/*
 * At most once a day, starts a process of its own session that removes what was not used for
 * FUSELAGE_CACHE_MAX_AGE_DAYS (30; 0: never) and what builders that were killed left behind more
 * than an hour ago. It drops every right but those of the caller first. To be called before a
 * namespace is entered, which it would keep alive. Nothing is reported: the next day tries again.
 */
void cache_reap(const char *home, const struct caller *caller);

#endif
