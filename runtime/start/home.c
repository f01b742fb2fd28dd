#include "start/home.h"

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
#include "start/procdir.h"
#include "kernel/trusted_path.h"
#include "generated/names.h"

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

/* A start with root's rights left a link to its own place; this one needs a directory. */
static void forget_link(int home)
{
	char target[sizeof STARTS_DIRECTORY];
	ssize_t n = readlinkat(home, PROCDIRS, target, sizeof target);

	if (n == sizeof target - 1 && memcmp(target, STARTS_DIRECTORY, (size_t)n) == 0)
		unlinkat(home, PROCDIRS, 0);
}

int home_open_procdirs(const char *path)
{
	OWNED_FD home = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	forget_link(home);
	mkdirat(home, PROCDIRS, 0700); /* of root, for whom home_prepare made none */
	return openat(home, PROCDIRS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* EPERM (another owner) and EEXIST (a symlink, a file) are for the user to look into. */
static int use_place(char path[PATH_MAX], const struct identity *identity, const char *base,
		     const char *name, bool writable, struct failure *failure)
{
	const enum fuselage_code code = FUSELAGE_E_HOME_UNUSABLE;

	if (format_path(path, "%s%s", strcmp(base, "/") == 0 ? "" : base, name) < 0)
		return fail_errno(failure, code, "%.300s%s", base, name);
	OWNED_FD home =
		trusted_open(AT_FDCWD, path, &identity->caller, TRUSTED_MAKE, code, failure);
	if (home < 0)
		return -1;
	if (procdir_is_below_run(identity))
		return 0;
	forget_link(home);
	OWNED_FD procdirs =
		trusted_open(home, PROCDIRS, &identity->caller, TRUSTED_MAKE, code, failure);
	if (procdirs < 0)
		return -1;
	if (writable && syscall(SYS_faccessat, procdirs, ".", W_OK) < 0)
		return fail_errno(failure, code, "%.300s", path);
	return 0;
}

int home_prepare(char home[PATH_MAX], const struct identity *identity, bool writable,
		 struct failure *failure)
{
	char last[32];
	const char *forced = getenv(ENV_FUSELAGE_HOME);
	/* Root often has a user's HOME and XDG_RUNTIME_DIR. */
	const char *const places[][2] = {
		{ getenv(ENV_HOME), "/.fuselage" },
		{ getenv("XDG_RUNTIME_DIR"), "/fuselage" },
		{ identity->caller.uid ? NULL : "/var/cache", "/fuselage" },
		{ "/tmp", last },
	};

	snprintf(last, sizeof last, "/fuselage-%u", (unsigned)identity->caller.uid);
	if (forced && *forced)
		return use_place(home, identity, forced, "", writable, failure);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!places[i][0] || places[i][0][0] != '/')
			continue;
		if (use_place(home, identity, places[i][0], places[i][1], writable, failure) == 0) {
			failure_clear(failure);
			return 0;
		}
		if (errno == EPERM || errno == EEXIST)
			break;
	}
	return -1;
}
