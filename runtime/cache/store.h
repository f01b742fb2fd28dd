/* What the user and the reaper of the cache share: its directory, names and locks. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "kernel/privileges.h"

#define CACHE_KEY_DIGITS 16
#define CACHE_NAME_MAX 64 /* bytes of any name in the cache, terminated */

/*
 * Opens <home>/cache by descriptor, both made if `make`. Everything else is relative to it, so
 * nobody can put another directory in its place later. Returns -1, a failure with the code, and
 * errno as trusted_open does: where others can write they could also put hard links to other files
 * of the user.
 */
int cache_open_directory(const char *home, const struct caller *caller, bool make,
			 enum fuselage_code code, struct failure *failure);

void cache_name(char name[CACHE_NAME_MAX], const char *key, const char *ending);

/*
 * Takes the lock of an entry. Returns its descriptor, or -1 and errno: EWOULDBLOCK when somebody
 * has it and `wait` is false, ETIMEDOUT when lock_wait has given up. A killed holder's lock ends with it.
 */
int cache_lock(int cache, const char *key, bool wait);

/* A regular file of `uid` that nobody else can write to. */
bool cache_is_ours(const struct stat *st, uid_t uid);

/*
 * Seconds after which what nobody has used goes, by FUSELAGE_CACHE_MAX_AGE_DAYS; 0: never. Below 0, with a
 * failure, where that is no number of days: then there is no start.
 */
time_t cache_max_age(struct failure *failure);

/* Descriptors of a process that works for the cache begin with this one. */
#define CACHE_FIRST_FD 3
#define CACHE_FDS_MAX 3

/*
 * For such a process, which nobody waits for: nothing of the caller stays, no other descriptor,
 * terminal, directory or right. What is open as `fds` has the numbers from CACHE_FIRST_FD on
 * afterwards, in their order. Ends the process where that cannot be.
 */
void cache_detach(const int *fds, int count, const struct caller *caller);

/* What such a process removes of a cache that is open: reaper.c. */
void cache_reap_now(int cache, const struct caller *caller);

/* Removes a tree (trees.h), however young. Returns false where there is none, or a start uses it. */
bool cache_forget_tree(int cache, const char *name);

#endif
