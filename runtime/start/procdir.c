#include "start/procdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/owned.h"
#include "base/remove.h"
#include "start/home.h"
#include "kernel/mount_point.h"
#include "generated/names.h"

#define NESTED_MAX 1000
#define STARTS_NAME (&STARTS_DIRECTORY[sizeof "/run"])

static bool has_roots_place(const struct caller *caller)
{
	return caller->setuid || caller->uid == 0;
}

int procdir_prepare(struct procdir *procdir, const struct identity *identity, const char *home,
		    struct failure *failure)
{
	return has_roots_place(&identity->caller) ?
		       0 :
		       home_prepare_starts(procdir->base, &identity->caller, home, HOME_COVERED,
					   failure);
}

static int open_again(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Makes <base>/<pid>, or <pid>.1 where that is taken: a bundle that another one execs has the same
 * pid. Returns its descriptor; procdir->path is its path.
 */
static int make_procdir(struct procdir *procdir, int base, mode_t mode)
{
	for (unsigned i = 0; i < NESTED_MAX; i++) {
		int n = snprintf(procdir->path, sizeof procdir->path, i ? "%s/%d.%u" : "%s/%d",
				 procdir->base, (int)getpid(), i);
		if (n < 0 || n >= (int)sizeof procdir->path) {
			errno = ENAMETOOLONG;
			return -1;
		}
		const char *name = procdir->path + strlen(procdir->base) + 1;
		int made = mkdirat(base, name, mode);
		int fd = made < 0 ? -1 : open_again(base, name);
		/* Who sweeps, and does not see this process, may have removed it. */
		if (fd >= 0 || errno != (made < 0 ? EEXIST : ENOENT))
			return fd;
	}
	return -1;
}

/*
 * The base is open as *base. On the host it is covered by a tmpfs and the start's directory made in
 * that. Inside another start it is such a tmpfs already, with directories that are in use: one more
 * is made, and covered by a tmpfs of its own, which ends with this namespace.
 */
static int cover(struct procdir *procdir, const struct identity *identity, int *base)
{
	static const struct mount_call call = { "fuselage", "tmpfs", 0, "mode=0755" };
	struct stat outer, inner;
	int dir;

	if (fstat(*base, &inner) < 0 || fstatat(*base, "..", &outer, 0) < 0)
		return -1;
	bool nested = outer.st_dev != inner.st_dev;
	if (!nested) {
		if (mount_at(identity, *base, ".", &call) < 0)
			return -1;
		close(*base);
		*base = open_again(AT_FDCWD, procdir->base);
		if (*base < 0)
			return -1;
	}
	privileges_raise(&identity->caller);
	dir = make_procdir(procdir, *base, 0755);
	privileges_lower(&identity->caller);
	if (dir >= 0 && nested) {
		OWNED_FD covered = dir;
		dir = mount_at(identity, covered, ".", &call) < 0 ?
			      -1 :
			      open_again(*base, procdir->path + strlen(procdir->base) + 1);
	}
	procdir->fd = dir;
	return dir < 0 ? -1 : 0;
}

/* Where everyone may go through: a server that gives root up still finds its files. */
static int open_roots_place(struct procdir *procdir, const struct identity *identity)
{
	OWNED_FD run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	stpcpy(procdir->base, STARTS_DIRECTORY);
	privileges_raise(&identity->caller);
	int base = run < 0 ? -1 : open_root_directory(run, STARTS_NAME);
	privileges_lower(&identity->caller);
	return base;
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
	const struct caller *caller = &identity->caller;
	bool roots = has_roots_place(caller);
	OWNED_FD base = roots ? open_roots_place(procdir, identity) : -1;

	/* A place of root's own will do where /run is read-only; a caller's never. */
	if (base < 0 && !caller->setuid &&
	    (!roots ||
	     home_prepare_starts(procdir->base, caller, home, HOME_COVERED, failure) == 0))
		base = open_again(AT_FDCWD, procdir->base);
	if (base < 0 || cover(procdir, identity, &base) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: no tmpfs for this start",
				  procdir->base);
	return make_directories(procdir, identity, failure);
}

bool procdir_is_there(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && st.st_nlink > 0;
}

/* The same, locked. Somebody who sweeps may have it for a moment, and takes it for one of the dead before. */
static int make_locked(struct procdir *procdir, int base, mode_t mode)
{
	for (;;) {
		OWNED_FD dir = make_procdir(procdir, base, mode);
		if (dir < 0 || lock_wait(dir, LOCK_EX) < 0)
			return -1;
		if (procdir_is_there(dir))
			return steal_fd(&dir);
	}
}

/* Takes them away again, while there is nothing in them. */
static void unmake(struct procdir *procdir)
{
	close(procdir->lock);
	procdir->lock = procdir->fd = -1;
	remove_tree(AT_FDCWD, procdir->path);
}

int procdir_make(struct procdir *procdir, const struct identity *identity, const char *home,
		 mode_t mode, struct failure *failure)
{
	const struct caller *caller = &identity->caller;
	OWNED_FD base = caller->uid || home_forced() ? -1 : open_roots_place(procdir, identity);

	if (base < 0) {
		/* A tmpfs would have covered one that is there and cannot be written to. */
		if (home_prepare_starts(procdir->base, caller, home,
					procdir->chosen ? HOME_MOUNTS : HOME_STARTS, failure) < 0)
			return -1;
		base = open_again(AT_FDCWD, procdir->base);
		if (caller->uid == 0)
			fchmod(base, 0711);
	}
	procdir->lock = base < 0 ? -1 : make_locked(procdir, base, caller->uid ? 0700 : mode);
	if (procdir->lock < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", procdir->base);
	procdir->fd = procdir->lock;
	if (make_directories(procdir, identity, failure) == 0)
		return 0;
	unmake(procdir);
	return -1;
}

void procdir_link(const struct procdir *procdir, const char *home)
{
	char link[PATH_MAX + 16], target[PATH_MAX];
	size_t length = strlen(procdir->base);

	snprintf(link, sizeof link, "%s/" PROCDIRS, home);
	if (!*home || procdir->chosen || strcmp(link, procdir->base) == 0)
		return;
	ssize_t n = readlink(link, target, sizeof target);
	if (n >= 0 && (size_t)n == length && memcmp(target, procdir->base, length) == 0)
		return;
	/*
	 * A folder is of starts that have their directories in it (FUSELAGE_HOME). It looks empty from here, and
	 * to remove it would take their mounts from them.
	 */
	if (n >= 0)
		unlink(link);
	(void)!symlink(procdir->base, link);
}
