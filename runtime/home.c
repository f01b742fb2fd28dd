#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "procdir.h"

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

/* A start with root's rights left a link to its own place; this one needs a directory. */
static bool forget_link(int home)
{
	char target[sizeof STARTS_DIRECTORY];
	ssize_t n = readlinkat(home, "procdirs", target, sizeof target);

	return n == sizeof target - 1 && memcmp(target, STARTS_DIRECTORY, (size_t)n) == 0 &&
	       unlinkat(home, "procdirs", 0) == 0;
}

int home_open_procdirs(const char *path, uid_t uid)
{
	OWNED_FD home = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	OWNED_FD fd = -1;
	struct stat st;

	do {
		if (home < 0 || (mkdirat(home, "procdirs", 0700) < 0 && errno != EEXIST))
			return -1;
		fd = openat(home, "procdirs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	} while (fd < 0 && errno == ENOTDIR && forget_link(home));
	if (fd < 0 && errno == ENOTDIR)
		errno = EEXIST;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_uid != uid) {
		errno = EPERM;
		return -1;
	}
	return steal_fd(&fd);
}

/* EPERM (another owner) and EEXIST (a symlink, a file) are for the user to look into. */
static int use_candidate(struct start *start, const char *path, bool writable)
{
	if (path[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	if (own_directory(path, start->caller.uid) < 0)
		return -1;
	if (!procdir_is_below_run(start)) {
		OWNED_FD procdirs = home_open_procdirs(path, start->caller.uid);
		if (procdirs < 0 || (writable && syscall(SYS_faccessat, procdirs, ".", W_OK) < 0))
			return -1;
	}
	return format_path(start->home_path, "%s", path);
}

int home_prepare(struct start *start, bool writable, struct failure *failure)
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
