/* One archive of an invocation: [NAME:]FILE, what kind of file it is, and where it is to appear. */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "flavour/flavour.h"
#include "squashfs/squashfs.h"
#include "generated/names.h"

enum archive_use {
	ARCHIVE_STATIC, /* read-only */
	ARCHIVE_DYNAMIC, /* private and writable */
	ARCHIVE_EMPTY, /* dynamic, without a file */
};

enum archive_format {
	ARCHIVE_ZIP,
	ARCHIVE_SQUASHFS, /* also inside an ELF file */
};

struct archive {
	enum archive_use use;
	const char *option; /* as given, for messages: "--static" */
	const char *file; /* path, or NULL */
	char name[NAME_MAX + 1]; /* one path component */
	bool fixed; /* appears at /run/fuselage/NAME */
	bool allowed; /* policy: there also in setuid-root mode */
	char target[PATH_MAX]; /* set when it is placed */
	/* after archive_open */
	int fd; /* opened once, with the caller's rights; -1 */
	bool is_public; /* everybody may read the file that was opened */
	enum archive_format format;
	uint64_t offset; /* of the squashfs image, bytes */
	uint64_t size; /* of the file, bytes */
	struct sqfs fs;
	struct sqfs_reader *reader;
	const uint8_t *start; /* list of what a start reads (fuse/start_list.h), or NULL */
	size_t start_size;
	uint32_t entry; /* inode of the program that is started, which is read in any case; or 0 */
	uint64_t entry_size; /* bytes */
};

/* Only the runner has what reads them. */
static inline bool archive_is_zip(const struct archive *archive)
{
	return flavour_is_runner && archive->format == ARCHIVE_ZIP;
}

/*
 * Splits an option's value. The whole of it is tried as a file first, because file names may hold
 * a colon; then NAME:FILE, where NAME is one component or /run/fuselage/NAME. A name that is not
 * given is the file's, without .sfs, .squashfs, .zip or .b64.
 */
int archive_parse(struct archive *archive, enum archive_use use, const char *option,
		  const char *value, const char *self, struct failure *failure);

/*
 * Opens the file and tells its format by its magic. What cannot be read at any place (a pipe) and
 * base64 text are taken into memory first, never to disk.
 */
int archive_open(struct archive *archive, struct failure *failure);
/* The same for a descriptor that has taken the place of archive->fd. */
int archive_reopen(struct archive *archive, struct failure *failure);
/*
 * Reads the first of an image's tree, which a mount would not: a command must not be the one to
 * meet the damage. Reads no further than the superblock otherwise. For privileges_isolated.
 */
int archive_check(void *archive, struct failure *failure);

/*
 * Extracts everything into the directory `dir`, which must be empty and private, as a fallback from
 * mounting: E_MOUNT_REFUSED is what the destination refuses. All that extract.h leaves out unless it is
 * asked for is left out.
 */
int archive_extract(const struct archive *archive, int dir, struct failure *failure);

/*
 * Without a namespace its files may be elsewhere on the host: archive->target, where an empty directory may be,
 * becomes a link to `path` and then that path. Returns 0, or -1 and errno.
 */
int archive_move(struct archive *archive, const char *path);

struct bundle;
/* The image of a bundle itself, at $FUSELAGE_STATIC/NAME or where the manifest says. */
void archive_from_bundle(struct archive *archive, const struct bundle *bundle);
void archive_close(struct archive *archive);

#endif
