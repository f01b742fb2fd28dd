/* The file that is running: a runtime alone, or a bundle with an image and a manifest. */
#ifndef BUNDLE_H
#define BUNDLE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "bundle/manifest.h"
#include "squashfs/squashfs.h"

/* What the file calls itself; the image is then found in it, wherever it is. */

struct bundle {
	int file; /* open for reading */
	char path[PATH_MAX]; /* absolute */
	uint64_t image_offset;
	struct manifest manifest;
	struct sqfs fs;
	struct sqfs_reader *reader;
	bool appimage; /* it is one, or stands for one: appimage.h */
	bool extract_and_run; /* an AppImage was told to, by its first argument */
	bool portable[2]; /* HOME, XDG_CONFIG_HOME beside an AppImage: appimage_start.h */
	const char *argv0; /* of an AppImage: what its caller called it */
};

/*
 * Opens the own file, or as an AppImage the one that `target` (TARGET_APPIMAGE, or NULL) names, and
 * reads its manifest. Returns 1 for a bundle whose image is there, whole and
 * sound as far as its tables tell, 0 for a runtime without an image, or -1.
 */
int bundle_open(struct bundle *bundle, const char *target, struct failure *failure);

/* Checks that the entrypoint is in the image, before anything is mounted. *entry becomes what it is, or the last link to it. */
int bundle_check_entry(const struct bundle *bundle, struct sqfs_inode *entry,
		       struct failure *failure);

/*
 * The kernel met an error where it read the entrypoint: finds the block by reading all of it
 * through our own reader, which says where.
 */
int bundle_explain_io_error(const struct bundle *bundle, struct failure *failure);

#endif
