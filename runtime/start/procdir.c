#include "start/procdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"
#include "base/remove.h"
#include "start/home.h"
#include "kernel/mount_point.h"

#define NESTED_MAX 1000
#define STARTS_NAME (&STARTS_DIRECTORY[sizeof "/run"])

bool procdir_is_below_run(const struct start *start)
{
	return start->kind == NAMESPACE_PRIVILEGED &&
	       (start->caller.setuid || start->caller.uid == 0);
}

/*
 * Makes <base>/<pid>, or <pid>.1 where that is taken: a bundle that another one execs has the same
 * pid. Returns its descriptor; start->procdir is its path.
 */
static int make_procdir(struct start *start, int base, const char *path, mode_t mode)
{
	for (unsigned i = 0; i < NESTED_MAX; i++) {
		int n = snprintf(start->procdir, sizeof start->procdir, i ? "%s/%d.%u" : "%s/%d",
				 path, (int)getpid(), i);
		if (n < 0 || n >= (int)sizeof start->procdir) {
			errno = ENAMETOOLONG;
			return -1;
		}
		const char *name = start->procdir + strlen(path) + 1;
		if (mkdirat(base, name, mode) == 0)
			return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

static int open_again(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * `name` in `parent` is open as *base. On the host it is covered by a tmpfs and the start's directory
 * made in that. Inside another start it is such a tmpfs already, with directories that are in use:
 * one more is made, and covered by a tmpfs of its own, which ends with this namespace.
 */
static int cover(struct start *start, int parent, const char *name, int *base, const char *path)
{
	static const struct mount_call call = { "fuselage", "tmpfs", 0, "mode=0755" };
	struct stat outer, inner;
	int dir;

	if (fstat(parent, &outer) < 0 || fstat(*base, &inner) < 0)
		return -1;
	bool nested = outer.st_dev != inner.st_dev;
	if (!nested) {
		if (mount_at(start, *base, ".", &call) < 0)
			return -1;
		close(*base);
		*base = open_again(parent, name);
		if (*base < 0)
			return -1;
	}
	privileges_raise(&start->caller);
	dir = make_procdir(start, *base, path, 0755);
	privileges_lower(&start->caller);
	if (dir >= 0 && nested) {
		OWNED_FD covered = dir;
		dir = mount_at(start, covered, ".", &call) < 0 ?
			      -1 :
			      open_again(*base, start->procdir + strlen(path) + 1);
	}
	start->places = dir;
	return dir < 0 ? -1 : 0;
}

/* Returns 1 when a directory of root's cannot be had below /run. */
static int cover_run(struct start *start)
{
	OWNED_FD run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	privileges_raise(&start->caller);
	OWNED_FD base = run < 0 ? -1 : open_root_directory(run, STARTS_NAME);
	privileges_lower(&start->caller);
	return base < 0 ? 1 : cover(start, run, STARTS_NAME, &base, STARTS_DIRECTORY);
}

static int cover_home(struct start *start, char *path)
{
	OWNED_FD home = open(start->home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED_FD base = home_open_procdirs(start->home_path);

	return home < 0 || base < 0 ? -1 : cover(start, home, "procdirs", &base, path);
}

int procdir_add(const struct start *start, const char *name, mode_t mode)
{
	int result;

	privileges_raise(&start->caller);
	result = mkdirat(start->places, name, mode);
	privileges_lower(&start->caller);
	return result;
}

int procdir_give(const struct start *start, const char *name)
{
	int result;

	if (!start->caller.setuid)
		return 0;
	privileges_raise(&start->caller);
	result = fchownat(start->places, name, start->caller.uid, start->caller.gid,
			  AT_SYMLINK_NOFOLLOW);
	privileges_lower(&start->caller);
	return result;
}

static int make_directories(const struct start *start, struct failure *failure)
{
	if (procdir_add(start, "tmp", 0700) < 0 || procdir_add(start, "static", 0755) < 0 ||
	    procdir_add(start, "dynamic", 0755) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", start->procdir);
	return 0;
}

int procdir_hand_over(const struct start *start, struct failure *failure)
{
	if (procdir_give(start, "tmp") < 0 || procdir_give(start, "static") < 0 ||
	    procdir_give(start, "dynamic") < 0 || procdir_give(start, ".") < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", start->procdir);
	return 0;
}

int procdir_mount(struct start *start, struct failure *failure)
{
	char path[PATH_MAX + 16];
	int result = 1;

	snprintf(path, sizeof path, STARTS_DIRECTORY);
	if (procdir_is_below_run(start))
		result = cover_run(start);
	/* Root's own home will do where /run is read-only; a caller's never. */
	if (result == 1 && !start->caller.setuid) {
		snprintf(path, sizeof path, "%s/procdirs", start->home_path);
		result = cover_home(start, path);
	}
	if (result != 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: no tmpfs for this start",
				  path);
	return make_directories(start, failure);
}

int procdir_make(struct start *start, struct failure *failure)
{
	char path[PATH_MAX + 16];

	/* A tmpfs would have covered one that is there and cannot be written to. */
	if (home_prepare(start, true, failure) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/procdirs", start->home_path);
	OWNED_FD base = home_open_procdirs(start->home_path);
	start->lock = base < 0 ? -1 : make_procdir(start, base, path, 0700);
	/* Somebody who sweeps may have it for a moment. */
	if (start->lock < 0 || flock(start->lock, LOCK_EX) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", path);
	start->places = start->lock;
	if (make_directories(start, failure) == 0)
		return 0;
	procdir_unmake(start);
	return -1;
}

void procdir_unmake(struct start *start)
{
	close(start->lock);
	start->lock = start->places = -1;
	remove_tree(AT_FDCWD, start->procdir);
}

void procdir_link(const struct start *start)
{
	OWNED_FD home = procdir_is_below_run(start) ?
				open(start->home_path, O_PATH | O_DIRECTORY | O_CLOEXEC) :
				-1;

	if (home >= 0 && strncmp(start->procdir, STARTS_DIRECTORY, strlen(STARTS_DIRECTORY)) == 0)
		(void)symlinkat(STARTS_DIRECTORY, home, "procdirs");
}
