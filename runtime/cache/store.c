#include "cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/lock.h"
#include "base/owned.h"
#include "base/variable.h"
#include "generated/names.h"
#include "kernel/trusted_path.h"

#define DAY 86400
#define DAYS_DEFAULT 30
#define DAYS_MAX 100000

int cache_open_directory(const char *home, const struct caller *caller, bool make,
			 enum fuselage_code code, struct failure *failure)
{
	enum trusted_end end = make ? TRUSTED_MAKE : TRUSTED_OWN;
	OWNED_FD parent = trusted_open(AT_FDCWD, home, caller, end, code, failure);
	OWNED_FD place = parent < 0 ? -1 :
				      trusted_open(parent, "cache", caller, end, code, failure);
	OWNED_FD cache = place < 0 ? -1 : openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* Of root's, what is in it is as it is told; nobody else may list it. */
	mode_t mode = caller->uid ? 0700 : 0711;
	struct stat st;
	if (cache < 0 || fstat(cache, &st) < 0 ||
	    ((st.st_mode & 07777) != mode && fchmod(cache, mode) < 0))
		return fail_errno(failure, code, "%.300s/cache", home);
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
		if ((wait ? lock_wait(lock, LOCK_EX) : flock(lock, LOCK_EX | LOCK_NB)) < 0 ||
		    fstat(lock, &st) < 0)
			return -1;
		/* The reaper removed it while we waited: others lock the next file of that name. */
		if (st.st_nlink > 0)
			return steal_fd(&lock);
	}
}

void cache_detach(const int *fds, int count, const struct caller *caller)
{
	uid_t uid = caller->uid;
	gid_t gid = caller->gid;
	int moved[CACHE_FDS_MAX];

	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(1);
	setsid();
	inherited_reset_signals();
	/* Out of each other's way first. */
	for (int i = 0; i < count; i++)
		moved[i] = fcntl(fds[i], F_DUPFD, CACHE_FIRST_FD + count);
	for (int i = 0; i < count; i++)
		if (moved[i] < 0 || dup2(moved[i], CACHE_FIRST_FD + i) < 0)
			_exit(1);
	if (chdir("/") < 0)
		_exit(1);
	close_from(CACHE_FIRST_FD + count);
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < CACHE_FIRST_FD; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
	if (null >= CACHE_FIRST_FD)
		close(null);
}

bool cache_is_ours(const struct stat *st, uid_t uid)
{
	return S_ISREG(st->st_mode) && st->st_uid == uid && !(st->st_mode & 022);
}

time_t cache_max_age(struct failure *failure)
{
	return (time_t)DAY *
	       variable_number(ENV_FUSELAGE_CACHE_MAX_AGE_DAYS, DAYS_MAX, DAYS_DEFAULT, failure);
}
