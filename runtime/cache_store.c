#include "cache_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/owned.h"

int cache_open_directory(const char *home, uid_t uid, bool make)
{
	OWNED_FD parent = open(home, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (parent < 0 || (make && mkdirat(parent, "cache", 0700) < 0 && errno != EEXIST))
		return -1;
	OWNED_FD cache = openat(parent, "cache", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (cache < 0 || fstat(cache, &st) < 0)
		return -1;
	/* Where others can write they can have put hard links to other files of the user. */
	if (st.st_uid != uid || st.st_mode & 022) {
		errno = EPERM;
		return -1;
	}
	if ((st.st_mode & 0777) != 0700 && fchmod(cache, 0700) < 0)
		return -1;
	return steal_fd(&cache);
}

void cache_name(char name[CACHE_NAME_MAX], const char *key, const char *ending)
{
	snprintf(name, CACHE_NAME_MAX, "%.*s%s", CACHE_KEY_DIGITS, key, ending);
}

int cache_lock(int cache, const char *key, bool wait)
{
	char name[CACHE_NAME_MAX];
	struct stat st;

	cache_name(name, key, ".lock");
	for (;;) {
		OWNED_FD lock = openat(
			cache, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
		if (lock < 0)
			return -1;
		while (flock(lock, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0)
			if (errno != EINTR)
				return -1;
		if (fstat(lock, &st) < 0)
			return -1;
		/* The reaper removed it while we waited: others lock the next file of that name. */
		if (st.st_nlink > 0)
			return steal_fd(&lock);
	}
}

bool cache_is_ours(const struct stat *st, uid_t uid)
{
	return S_ISREG(st->st_mode) && st->st_uid == uid && !(st->st_mode & 022);
}
