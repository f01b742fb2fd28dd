/* The cleaner of the cache: a process that nobody waits for. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/owned.h"
#include "base/remove.h"
#include "cache/hot_files.h"
#include "flavour/flavour.h"
#include "cache/zip_images.h"
#include "cache/store.h"
#include "generated/names.h"

#define DAY 86400
#define HOUR 3600
#define IN_USE 60 /* seconds: whatever the limit says, somebody is starting from it */

struct reaper {
	int cache;
	const struct caller *caller;
	time_t now;
	time_t max_age; /* seconds */
};

/* Says whether the day's turn is ours, and takes it. */
static bool take_turn(int cache)
{
	OWNED_FD mark =
		openat(cache, ".reaped", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;
	time_t now = time(NULL);

	if (mark >= 0)
		return true;
	mark = openat(cache, ".reaped", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (mark < 0 || flock(mark, LOCK_EX | LOCK_NB) < 0 || fstat(mark, &st) < 0)
		return false;
	/* A time in the future (the clock was wrong) must not put it off for ever. */
	if (st.st_mtime > now - DAY && st.st_mtime < now + DAY)
		return false;
	return futimens(mark, NULL) == 0;
}

static bool age(const struct reaper *reaper, const char *name, time_t *seconds)
{
	struct stat st;

	if (fstatat(reaper->cache, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*seconds = reaper->now - st.st_mtime;
	return true;
}

/*
 * Images, which are the runner's. The sentinel goes first: what is left when this is killed is not used.
 * Returns false for one that stays.
 */
static bool reap_image(const struct reaper *reaper, const char *key)
{
	char sentinel[CACHE_NAME_MAX];
	char image[CACHE_NAME_MAX];
	time_t seconds;

	cache_name(sentinel, key, ".complete");
	cache_name(image, key, ".sfs");
	if (age(reaper, sentinel, &seconds)) {
		if (seconds <= reaper->max_age || seconds <= IN_USE)
			return false;
		unlinkat(reaper->cache, sentinel, 0);
	} else if (age(reaper, image, &seconds) && seconds <= HOUR) {
		return false;
	}
	unlinkat(reaper->cache, image, 0);
	return true;
}

/*
 * Whoever builds has the lock, and keeps it. Its name goes last; who waits for it sees that and takes
 * a new one.
 */
static void reap_entry(const struct reaper *reaper, const char *key)
{
	char lock_name[CACHE_NAME_MAX];

	cache_name(lock_name, key, ".lock");
	OWNED_FD lock = cache_lock(reaper->cache, key, false);
	if (lock >= 0 && (!flavour_is_runner || reap_image(reaper, key)))
		unlinkat(reaper->cache, lock_name, 0);
}

static void reap_partial(const struct reaper *reaper, const char *name)
{
	time_t seconds;

	/* A builder that is stopped for an hour still has the lock. */
	OWNED_FD lock = cache_lock(reaper->cache, name, false);
	/* So has who still uses a tree that was put aside. */
	OWNED_FD tree = openat(reaper->cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (lock >= 0 && (tree < 0 || flock(tree, LOCK_EX | LOCK_NB) == 0) &&
	    age(reaper, name, &seconds) && seconds > HOUR)
		remove_tree(reaper->cache, name);
}

/* Who uses a tree has it locked. It loses its name first, so that nobody finds half of it. */
static bool reap_tree(const struct reaper *reaper, const char *name)
{
	char partial[CACHE_NAME_MAX];
	time_t seconds;

	OWNED_FD lock = cache_lock(reaper->cache, name, false);
	OWNED_FD tree = openat(reaper->cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (lock < 0 || tree < 0 || flock(tree, LOCK_EX | LOCK_NB) < 0 ||
	    !age(reaper, name, &seconds) || seconds <= reaper->max_age)
		return false;
	cache_name(partial, name, ".partial");
	remove_tree(reaper->cache, partial);
	if (renameat(reaper->cache, name, reaper->cache, partial) < 0)
		return false;
	remove_tree(reaper->cache, partial);
	return true;
}

bool cache_forget_tree(int cache, const char *name)
{
	/* However lately it was used. */
	const struct reaper reaper = { .cache = cache, .max_age = INT64_MIN };
	time_t seconds;

	/* Where there is none, no lock of it is made either. */
	return age(&reaper, name, &seconds) && reap_tree(&reaper, name);
}

static bool ends_with(const char *name, const char *ending)
{
	size_t size = strlen(name);
	size_t tail = strlen(ending);

	return size >= tail && strcmp(name + size - tail, ending) == 0;
}

/*
 * Hot files: by the time of the mark that stands beside each. Whoever still makes a partial finds that
 * it has lost its name, or gives it to one that is not as it has to be.
 */
static void reap_hot(const struct reaper *reaper, const char *name)
{
	char mark[HOT_NAME_MAX + sizeof HOT_MARK];
	bool is_partial = ends_with(name, HOT_PARTIAL), is_mark = ends_with(name, HOT_MARK);
	time_t seconds;

	stpcpy(stpcpy(mark, name), is_partial || is_mark ? "" : HOT_MARK);
	if (!age(reaper, mark, &seconds) || seconds > (is_partial ? HOUR :
						       is_mark	  ? reaper->max_age :
								    seconds))
		hot_file_remove(reaper->cache, name);
}

/* Names that are not the cache's own are left alone. */
static void reap_name(const struct reaper *reaper, const char *name)
{
	const char *rest = name + CACHE_KEY_DIGITS;
	size_t digits = strspn(name, "0123456789abcdef");
	time_t seconds;

	if (hot_file_is_name(name))
		reap_hot(reaper, name);
	if (digits != CACHE_KEY_DIGITS || !age(reaper, name, &seconds))
		return;
	if (ends_with(rest, ".partial")) {
		if (seconds > HOUR)
			reap_partial(reaper, name);
	} else if (strcmp(rest, ".tree") == 0) {
		if (seconds > reaper->max_age)
			reap_tree(reaper, name);
	} else if (strcmp(rest, ".id") == 0) {
		if (seconds > reaper->max_age)
			unlinkat(reaper->cache, name, 0);
	} else if (flavour_is_runner && strcmp(rest, ".complete") == 0) {
		if (seconds > reaper->max_age)
			reap_entry(reaper, name);
	} else if ((flavour_is_runner && strcmp(rest, ".sfs") == 0) || strcmp(rest, ".lock") == 0) {
		if (seconds > HOUR)
			reap_entry(reaper, name);
	}
}

static void reap(const struct reaper *reaper)
{
	DIR *dir = fdopendir(dup(reaper->cache));

	if (!dir)
		return;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
		reap_name(reaper, entry->d_name);
	closedir(dir);
}

void cache_reap_now(int cache, const struct caller *caller)
{
	struct failure ignored = { 0 };
	const struct reaper reaper = { cache, caller, time(NULL), cache_max_age(&ignored) };

	if (reaper.max_age > 0)
		reap(&reaper);
}

struct job {
	int cache;
	const struct caller *caller;
};

static int reaper_main(void *argument)
{
	const struct job *job = argument;

	cache_detach(&job->cache, 1, job->caller);
	cache_reap_now(CACHE_FIRST_FD, job->caller);
	return 0;
}

void cache_reap(const char *home, const struct caller *caller)
{
	struct failure ignored = { 0 };
	OWNED_FD cache = cache_open_directory(home, caller, false, FUSELAGE_E_CACHE, &ignored);

	if (cache < 0 || cache_max_age(&ignored) <= 0 || !take_turn(cache))
		return;
	/* Where it would come back to this process it is waited for: once a day. */
	struct job job = { cache, caller };
	(child_adopts() ? child_run : child_leave)(reaper_main, &job);
}
