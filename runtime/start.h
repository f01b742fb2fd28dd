/* Everything that one start of a bundle knows, handed from phase to phase. */
#ifndef START_H
#define START_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "manifest.h"
#include "squashfs/squashfs.h"

struct start {
	int file; /* the bundle, open for reading */
	char path[PATH_MAX]; /* its absolute path */
	uint64_t image_offset;
	struct manifest manifest;
	struct sqfs fs;
	struct sqfs_reader *reader; /* of this process; a server makes its own */
	uid_t uid; /* of the user, who stays the user */
	gid_t gid;
	char home[PATH_MAX]; /* ~/.fuselage or what stands in for it */
	char procdir[PATH_MAX]; /* <home>/procdirs/<pid> */
	char bundle_dir[PATH_MAX]; /* <procdir>/static/<name>: the image's root */
	const char *strategy; /* the one that worked */
	mode_t mask; /* the caller's umask; ours makes directories as they are meant */
};

#endif
