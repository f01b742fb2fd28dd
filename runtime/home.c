#include "home.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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
static int use_candidate(struct start *start, const char *path)
{
	char procdirs[PATH_MAX];

	if (path[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	if (own_directory(path, start->uid) < 0 || format_path(procdirs, "%s/procdirs", path) < 0 ||
	    own_directory(procdirs, start->uid) < 0)
		return -1;
	return format_path(start->home, "%s", path);
}

int home_prepare(struct start *start, struct failure *failure)
{
	const char *forced = getenv("FUSELAGE_HOME");
	const char *home = getenv("HOME");
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];

	if (forced && *forced) {
		if (use_candidate(start, forced) == 0)
			return 0;
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "FUSELAGE_HOME=%s", forced);
	}
	for (int i = 0; i < 3; i++) {
		const char *base = i == 0 ? home : runtime_dir;
		int formatted;
		if (i < 2 && (!base || base[0] != '/'))
			continue;
		if (i == 2)
			formatted = format_path(path, "/tmp/fuselage-%u", (unsigned)start->uid);
		else
			formatted = format_path(path, i == 0 ? "%s/.fuselage" : "%s/fuselage",
						strcmp(base, "/") == 0 ? "" : base);
		if (formatted == 0 && use_candidate(start, path) == 0)
			return 0;
		if (errno == EPERM || errno == EEXIST)
			break;
	}
	if (errno == EPERM)
		return fail(failure, FUSELAGE_E_HOME_UNUSABLE,
			    "%s: expected a directory of user %u, found one of another user", path,
			    (unsigned)start->uid);
	if (errno == EEXIST)
		return fail(failure, FUSELAGE_E_HOME_UNUSABLE,
			    "%s: expected a directory, found a file or symbolic link", path);
	return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s", path);
}

static int make_directories(struct start *start, struct failure *failure)
{
	char path[PATH_MAX];

	if (format_path(path, "%s/tmp", start->procdir) < 0 || mkdir(path, 0700) < 0 ||
	    format_path(path, "%s/static", start->procdir) < 0 || mkdir(path, 0755) < 0 ||
	    format_path(start->bundle_dir, "%s/%s", path, start->manifest.name) < 0 ||
	    mkdir(start->bundle_dir, 0755) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: directories",
				  start->procdir);
	return 0;
}

/*
 * Inside another fuselage procdirs is a tmpfs already, with directories that are in use: one more
 * is made and covered by a tmpfs of its own, which ends with this namespace. A bundle that another
 * one execs has the same pid: then it is <pid>.1.
 */
static int add_nested(struct start *start, const char *procdirs)
{
	for (unsigned i = 0; i < NESTED_MAX; i++) {
		int formatted =
			i ? format_path(start->procdir, "%s/%d.%u", procdirs, (int)getpid(), i) :
			    format_path(start->procdir, "%s/%d", procdirs, (int)getpid());
		if (formatted < 0)
			return -1;
		if (mkdir(start->procdir, 0755) == 0)
			return mount("fuselage", start->procdir, "tmpfs", MS_NOSUID | MS_NODEV,
				     "mode=0755");
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

static int add_first(struct start *start, const char *procdirs)
{
	if (mount("fuselage", procdirs, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 ||
	    format_path(start->procdir, "%s/%d", procdirs, (int)getpid()) < 0)
		return -1;
	return mkdir(start->procdir, 0755);
}

int home_mount(struct start *start, struct failure *failure)
{
	char procdirs[PATH_MAX];
	struct stat outer, inner;

	if (format_path(procdirs, "%s/procdirs", start->home) < 0 ||
	    stat(start->home, &outer) < 0 || stat(procdirs, &inner) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/procdirs", start->home);

	bool nested = outer.st_dev != inner.st_dev;
	if ((nested ? add_nested(start, procdirs) : add_first(start, procdirs)) < 0)
		return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s: no tmpfs for this start",
				  procdirs);
	return make_directories(start, failure);
}
