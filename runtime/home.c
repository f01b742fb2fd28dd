#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pinned.h"

#define NESTED_MAX 1000

__attribute__((format(printf, 2, 3))) static int format_path(char *path, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int n = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	if (n < 0 || n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

/* Makes a private directory or takes one that is already ours. Returns 0, or -1 and errno. */
static int own_directory(const char *path, uid_t uid)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		if (errno ==
		    EPERM) /* a file system without directories; below it means the owner */
			errno = EACCES;
		return -1;
	}
	if (lstat(path, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if (st.st_uid != uid) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

/* EPERM (another owner) and EEXIST (a symlink, a file) are for the user to look into. */
static int use_candidate(struct start *start, const char *path, bool writable)
{
	char procdirs[PATH_MAX];

	if (path[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	if (own_directory(path, start->caller.uid) < 0 ||
	    format_path(procdirs, "%s/procdirs", path) < 0 ||
	    own_directory(procdirs, start->caller.uid) < 0 ||
	    (writable && access(procdirs, W_OK) < 0))
		return -1;
	return format_path(start->home_path, "%s", path);
}

static int find_home(struct start *start, bool writable, struct failure *failure)
{
	const char *forced = getenv("FUSELAGE_HOME");
	const char *home = getenv("HOME");
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	if (forced && *forced) {
		if (use_candidate(start, forced, writable) == 0)
			return 0;
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "FUSELAGE_HOME=%s", forced);
	}
	for (int i = 0; i < 3; i++) {
		const char *base = i == 0 ? home : runtime_dir;
		int formatted;
		if (i < 2 && (!base || base[0] != '/'))
			continue;
		if (i == 2)
			formatted =
				format_path(path, "/tmp/fuselage-%u", (unsigned)start->caller.uid);
		else
			formatted = format_path(path, i == 0 ? "%s/.fuselage" : "%s/fuselage",
						strcmp(base, "/") == 0 ? "" : base);
		if (formatted == 0 && use_candidate(start, path, writable) == 0)
			return 0;
		if (errno == EPERM || errno == EEXIST)
			break;
	}
	if (errno == EPERM)
		return fail(failure, FUSELAGE_E_HOME_UNUSABLE,
			    "%s: expected a directory of user %u, found one of another user", path,
			    (unsigned)start->caller.uid);
	if (errno == EEXIST)
		return fail(failure, FUSELAGE_E_HOME_UNUSABLE,
			    "%s: expected a directory, found a file or symbolic link", path);
	return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", path);
}

int home_prepare(struct start *start, struct failure *failure)
{
	return find_home(start, false, failure);
}

static int make_directory(const struct start *start, const char *name, mode_t mode,
			  struct failure *failure)
{
	char path[PATH_MAX];

	if (format_path(path, "%s/%s", start->procdir, name) < 0 || mkdir(path, mode) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/%s", start->procdir, name);
	return 0;
}

static int make_directories(const struct start *start, struct failure *failure)
{
	if (make_directory(start, "tmp", 0700, failure) < 0 ||
	    make_directory(start, "static", 0755, failure) < 0)
		return -1;
	return make_directory(start, "dynamic", 0755, failure);
}

/* A bundle that another one execs has the same pid: then it is <pid>.1. */
static int make_procdir(struct start *start, const char *procdirs, mode_t mode)
{
	for (unsigned i = 0; i < NESTED_MAX; i++) {
		int formatted =
			i ? format_path(start->procdir, "%s/%d.%u", procdirs, (int)getpid(), i) :
			    format_path(start->procdir, "%s/%d", procdirs, (int)getpid());
		if (formatted < 0)
			return -1;
		if (mkdir(start->procdir, mode) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/*
 * Inside another fuselage procdirs is a tmpfs already, with directories that are in use: one more
 * is made and covered by a tmpfs of its own, which ends with this namespace.
 */
static int add_nested(struct start *start, const char *procdirs)
{
	if (make_procdir(start, procdirs, 0755) < 0)
		return -1;
	return mount_tmpfs(start, start->procdir, false);
}

static int add_first(struct start *start, const char *procdirs)
{
	if (mount_tmpfs(start, procdirs, false) < 0)
		return -1;
	return make_procdir(start, procdirs, 0755);
}

int home_mount(struct start *start, struct failure *failure)
{
	char procdirs[PATH_MAX];
	struct stat outer, inner;

	if (format_path(procdirs, "%s/procdirs", start->home_path) < 0 ||
	    stat(start->home_path, &outer) < 0 || stat(procdirs, &inner) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/procdirs",
				  start->home_path);

	bool nested = outer.st_dev != inner.st_dev;
	if ((nested ? add_nested(start, procdirs) : add_first(start, procdirs)) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: no tmpfs for this start",
				  procdirs);
	return make_directories(start, failure);
}

int home_make(struct start *start, struct failure *failure)
{
	char procdirs[PATH_MAX];

	/* A tmpfs would have covered one that is there and cannot be written to. */
	if (find_home(start, true, failure) < 0)
		return -1;
	if (format_path(procdirs, "%s/procdirs", start->home_path) < 0 ||
	    make_procdir(start, procdirs, 0700) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/procdirs",
				  start->home_path);
	start->lock = open(start->procdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Somebody who sweeps may have it for a moment. */
	if (start->lock < 0 || flock(start->lock, LOCK_EX) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: lock", start->procdir);
	return make_directories(start, failure);
}
