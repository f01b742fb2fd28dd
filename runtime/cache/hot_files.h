/*
 * Large files of images that every start needs, kept decompressed: a bundle's Node.
 *
 *   <home>/cache/<digest>.<mode>.<time>          the file; its SHA-256 in hex digits, permissions
 *                                                in octal, last change in seconds since 1970
 *   <home>/cache/<digest>.<mode>.<time>.used     empty: a start could have used it, at this
 *                                                one's time; a day's uses count once
 *   <home>/cache/<digest>.<mode>.<time>.partial  one that is being made, locked (flock)
 *
 * All that an app sees of a file but its owner and its place is in its name or was compared with it,
 * so images that have the same file share it. It has its name when it is whole, was compared with
 * the digest and is on the disk. Who is killed before leaves a partial, which the next one goes on
 * with from its start.
 */
#ifndef CACHE_HOT_FILES_H
#define CACHE_HOT_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "bundle/manifest.h"
#include "kernel/privileges.h"
#include "squashfs/squashfs.h"

#define HOT_NAME_MAX 112 /* bytes of any of these names, terminated */
#define HOT_MARK ".used"
#define HOT_PARTIAL ".partial"

/* A file of an image that may be kept. */
struct hot_file {
	const struct hot_record *record;
	char name[HOT_NAME_MAX];
	uint16_t mode;
	uint32_t mtime;
	uint32_t number; /* of its inode */
	/* by who looks for it */
	long age; /* hot_file_age */
	bool kept;
};

/*
 * Finds it in its image. False: what is recorded of it is not so, or it has more than contents and
 * permissions (set-id bits, others that may write to it, extended attributes).
 */
bool hot_file_find(struct hot_file *file, const struct hot_record *record,
		   struct sqfs_reader *reader);

/*
 * Opens what is kept of it for `uid` in the directory `cache`, with O_PATH or O_RDONLY. Returns -1 where
 * there is none, it is not as it was made, or no program could be started from there.
 */
int hot_file_open(const struct hot_file *file, int cache, uid_t uid, int flags);

/* Seconds since its mark, or -1: there is none. */
long hot_file_age(const struct hot_file *file, int cache);
/* Sets the mark, where the last one was a day old or there was none. */
void hot_file_mark(const struct hot_file *file, int cache);

/*
 * Removes what is kept and its mark, by the name of either. Returns whether a file was kept. One that is
 * being made meanwhile has no mark, and goes with the next clean-up.
 */
bool hot_file_remove(int cache, const char *name);

/* Whether it is the name of one of these, of whatever sort. */
bool hot_file_is_name(const char *name);

struct hot_request {
	const struct hot_file *files; /* to be made */
	size_t count;
	const struct sqfs *image;
	const struct caller *caller;
	int cache; /* directory */
	int app; /* set by hot_files_make: a handle of this process */
	uint64_t limit; /* bytes of all that are kept; those that are unused longest go first */
};

/*
 * Leaves a process behind that does it a little later, when nothing else needs the processor or the
 * disk, and cleans up the cache. It ends with the app where it may be waited for. Nothing is reported; what cannot be made is not there. To be called
 * before a namespace is entered, which it would keep alive.
 */
void hot_files_make(struct hot_request *request);

#endif
