/*
 * Start lists that starts have learned: <home>/starts/DIGEST, one for each image, with a header
 * (docs/format.md, "Learned lists"). A file is held open, and locked, by the server of the start that
 * learns, which writes all of it at once. Whatever ends that half way leaves a file that does not
 * have its checksum, and that the next start learns anew.
 */
#ifndef CACHE_STARTS_H
#define CACHE_STARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "squashfs/squashfs.h"

#define STARTS_HEADER 16u /* bytes before a list */

struct learned_start {
	int file; /* to write a list to, locked; or -1 */
	uint8_t *list; /* or NULL: nothing was learned so far */
	size_t size; /* of it, bytes */
};

/*
 * What is known of the image's starts, and where more can be written. `home` is the folder for caches, which
 * nobody else can change. Finds nothing where it cannot be written to, or somebody else learns.
 */
void starts_open(struct learned_start *learned, const char *home, const struct sqfs *image,
		 uid_t uid);
/*
 * Looks, for who only reads: makes nothing. Without a list learned->list is NULL. `used` is when a start last had
 * it, to the day.
 */
void starts_look(struct learned_start *learned, const char *home, const struct sqfs *image,
		 uid_t uid, time_t *used);
/* Removes the image's file, whose path it gives. Returns false where there is none. */
bool starts_forget(char *path, size_t size, const char *home, const struct sqfs *image);
/* Forgets what either has found. */
void starts_close(struct learned_start *learned);

/* The header of a list. */
void starts_header(uint8_t header[STARTS_HEADER], const uint8_t *list, size_t size);

/* The path of the image's file; false when it is too long or the image cannot be read. */
bool starts_path(char *path, size_t size, const char *home, const struct sqfs *image);

#endif
