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
#include "generated/names.h"

#define NESTED_MAX 1000
#define STARTS_NAME (&STARTS_DIRECTORY[sizeof "/run"])

bool procdir_is_below_run(const struct identity *identity)
{
	return identity->kind == NAMESPACE_PRIVILEGED &&
	       (identity->caller.setuid || identity->caller.uid == 0);
}

/*
 * Makes <base>/<pid>, or <pid>.1 where that is taken: a bundle that another one execs has the same
 * pid. Returns its descriptor; procdir->path is its path.
 */
static int make_procdir(struct procdir *procdir, int base, const char *path, mode_t mode)
{
	for (unsigned i = 0; i < NESTED_MAX; i++) {
		int n = snprintf(procdir->path, sizeof procdir->path, i ? "%s/%d.%u" : "%s/%d",
				 path, (int)getpid(), i);
		if (n < 0 || n >= (int)sizeof procdir->path) {
			errno = ENAMETOOLONG;
			return -1;
		}
		const char *name = procdir->path + strlen(path) + 1;
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
static int cover(struct procdir *procdir, const struct identity *identity, int parent,
		 const char *name, int *base, const char *path)
{
	static const struct mount_call call = { "fuselage", "tmpfs", 0, "mode=0755" };
	struct stat outer, inner;
	int dir;

	if (fstat(parent, &outer) < 0 || fstat(*base, &inner) < 0)
		return -1;
	bool nested = outer.st_dev != inner.st_dev;
	if (!nested) {
		if (mount_at(identity, *base, ".", &call) < 0)
			return -1;
		close(*base);
		*base = open_again(parent, name);
		if (*base < 0)
			return -1;
	}
	privileges_raise(&identity->caller);
	dir = make_procdir(procdir, *base, path, 0755);
	privileges_lower(&identity->caller);
	if (dir >= 0 && nested) {
		OWNED_FD covered = dir;
		dir = mount_at(identity, covered, ".", &call) < 0 ?
			      -1 :
			      open_again(*base, procdir->path + strlen(path) + 1);
	}
	procdir->fd = dir;
	return dir < 0 ? -1 : 0;
}

/* Returns 1 when a directory of root's cannot be had below /run. */
static int cover_run(struct procdir *procdir, const struct identity *identity)
{
	OWNED_FD run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	privileges_raise(&identity->caller);
	OWNED_FD base = run < 0 ? -1 : open_root_directory(run, STARTS_NAME);
	privileges_lower(&identity->caller);
	return base < 0 ? 1 : cover(procdir, identity, run, STARTS_NAME, &base, STARTS_DIRECTORY);
}

static int cover_home(struct procdir *procdir, const struct identity *identity,
		      const char *home_path, char *path)
{
	OWNED_FD home = open(home_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWNED_FD base = home_open_procdirs(home_path);

	return home < 0 || base < 0 ? -1 : cover(procdir, identity, home, PROCDIRS, &base, path);
}

int procdir_add(const struct procdir *procdir, const struct identity *identity, const char *name,
		mode_t mode)
{
	int result;

	privileges_raise(&identity->caller);
	result = mkdirat(procdir->fd, name, mode);
	privileges_lower(&identity->caller);
	return result;
}

int procdir_give(const struct procdir *procdir, const struct identity *identity, const char *name)
{
	int result;

	if (!identity->caller.setuid)
		return 0;
	privileges_raise(&identity->caller);
	result = fchownat(procdir->fd, name, identity->caller.uid, identity->caller.gid,
			  AT_SYMLINK_NOFOLLOW);
	privileges_lower(&identity->caller);
	return result;
}

static int make_directories(const struct procdir *procdir, const struct identity *identity,
			    struct failure *failure)
{
	if (procdir_add(procdir, identity, "tmp", 0700) < 0 ||
	    procdir_add(procdir, identity, "static", 0755) < 0 ||
	    procdir_add(procdir, identity, "dynamic", 0755) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", procdir->path);
	return 0;
}

int procdir_hand_over(const struct procdir *procdir, const struct identity *identity,
		      struct failure *failure)
{
	if (procdir_give(procdir, identity, "tmp") < 0 ||
	    procdir_give(procdir, identity, "static") < 0 ||
	    procdir_give(procdir, identity, "dynamic") < 0 ||
	    procdir_give(procdir, identity, ".") < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", procdir->path);
	return 0;
}

int procdir_mount(struct procdir *procdir, const struct identity *identity, const char *home,
		  struct failure *failure)
{
	char path[PATH_MAX + 16];
	int result = 1;

	snprintf(path, sizeof path, STARTS_DIRECTORY);
	if (procdir_is_below_run(identity))
		result = cover_run(procdir, identity);
	/* Root's own home will do where /run is read-only; a caller's never. */
	if (result == 1 && !identity->caller.setuid) {
		snprintf(path, sizeof path, "%s/" PROCDIRS, home);
		result = cover_home(procdir, identity, home, path);
	}
	if (result != 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: no tmpfs for this start",
				  path);
	return make_directories(procdir, identity, failure);
}

int procdir_make(struct procdir *procdir, const struct identity *identity, char home[PATH_MAX],
		 struct failure *failure)
{
	char path[PATH_MAX + 16];

	/* A tmpfs would have covered one that is there and cannot be written to. */
	if (home_prepare(home, identity, true, failure) < 0)
		return -1;
	snprintf(path, sizeof path, "%s/" PROCDIRS, home);
	OWNED_FD base = home_open_procdirs(home);
	procdir->lock = base < 0 ? -1 : make_procdir(procdir, base, path, 0700);
	/* Somebody who sweeps may have it for a moment. */
	if (procdir->lock < 0 || flock(procdir->lock, LOCK_EX) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", path);
	procdir->fd = procdir->lock;
	if (make_directories(procdir, identity, failure) == 0)
		return 0;
	procdir_unmake(procdir);
	return -1;
}

void procdir_unmake(struct procdir *procdir)
{
	close(procdir->lock);
	procdir->lock = procdir->fd = -1;
	remove_tree(AT_FDCWD, procdir->path);
}

void procdir_link(const struct procdir *procdir, const struct identity *identity,
		  const char *home_path)
{
	OWNED_FD home = procdir_is_below_run(identity) ?
				open(home_path, O_PATH | O_DIRECTORY | O_CLOEXEC) :
				-1;

	if (home >= 0 && strncmp(procdir->path, STARTS_DIRECTORY, strlen(STARTS_DIRECTORY)) == 0)
		(void)symlinkat(STARTS_DIRECTORY, home, PROCDIRS);
}
