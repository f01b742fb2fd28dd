/*
 * Whether a file is still what it was, by what the kernel says of it. Nobody but the kernel sets the
 * time of a file's last change, so whatever changes in the file shows there, unless two changes are
 * so close that they have the same time.
 */
#ifndef CACHE_FILE_STATE_H
#define CACHE_FILE_STATE_H

#include <stdbool.h>
#include <sys/stat.h>

/*
 * All of it but what changes by reading and by being written back to the disk; for memcmp and for
 * digests, so without stray bytes between the fields. Returns false and errno when there is none.
 */
bool file_state_read(int file, struct stat *state);

/* The file is as it was when `state` was read, given that the state had settled then. */
bool file_state_is(int file, const struct stat *state);

/* Who relies on a state. */
enum file_state_use {
	FILE_STATE_SHARED, /* starts of the next seconds */
	FILE_STATE_NOTED, /* starts of the next weeks, on this file system or one that takes its place */
};

/*
 * Whether any change after this would show in the state. False for what is no plain file on a disk:
 * it is not found again by its state.
 */
bool file_state_has_settled(const struct stat *state, enum file_state_use use);

/* Somebody else than `uid` and root can write to it: it may be another one at each look. */
bool file_state_is_foreign(const struct stat *state, uid_t uid);

#endif
