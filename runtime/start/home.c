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

#include "base/descriptors.h"
#include "base/owned.h"
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

/* Makes and opens a folder that nobody else can change. */
static int use_place(char path[PATH_MAX], const struct caller *caller, const char *const place[2],
		     bool writable, struct failure *failure)
{
	const enum fuselage_code code = FUSELAGE_E_HOME_UNUSABLE;

	if (format_path(path, "%s%s", strcmp(place[0], "/") == 0 ? "" : place[0], place[1]) < 0)
		return fail_errno(failure, code, "%.300s%s", place[0], place[1]);
	OWNED_FD fd = trusted_open(AT_FDCWD, path, caller, TRUSTED_MAKE, code, failure);
	if (fd >= 0 && writable && syscall(SYS_faccessat, fd, ".", W_OK) < 0)
		return fail_errno(failure, code, "%.300s", path);
	return steal_fd(&fd);
}

/* The first that can be used; without any the failure is that of the first. */
static int use_first(char path[PATH_MAX], const struct caller *caller,
		     const char *const places[][2], size_t count, bool writable,
		     struct failure *failure)
{
	for (size_t i = 0; i < count; i++) {
		if (!places[i][0] || places[i][0][0] != '/')
			continue;
		int fd = use_place(path, caller, places[i], writable, failure);
		if (fd < 0)
			continue;
		failure_clear(failure);
		return fd;
	}
	return -1;
}

#define COUNT(places) (sizeof(places) / sizeof *(places))

const char *home_forced(void)
{
	const char *forced = getenv(ENV_FUSELAGE_HOME);

	return forced && *forced ? forced : NULL;
}

int home_prepare(char home[PATH_MAX], const struct identity *identity, struct failure *failure)
{
	char last[32];
	const char *const forced[] = { home_forced(), "" };
	/* Root often has a user's HOME and XDG_RUNTIME_DIR. */
	const char *const places[][2] = {
		{ getenv(ENV_HOME), "/.fuselage" },
		{ getenv("XDG_RUNTIME_DIR"), "/fuselage" },
		{ identity->caller.uid ? NULL : "/var/cache", "/fuselage" },
		{ "/tmp", last },
	};

	snprintf(last, sizeof last, "/fuselage-%u", (unsigned)identity->caller.uid);
	OWNED_FD fd = forced[0] ? use_place(home, &identity->caller, forced, false, failure) :
				  use_first(home, &identity->caller, places, COUNT(places), false,
					    failure);
	if (fd >= 0)
		return 0;
	*home = 0;
	if (forced[0])
		return -1;
	failure_clear(failure);
	return 0;
}

/* Starts that have their directories elsewhere leave a link by this name. Returns whether there was one. */
static bool forget_link(const char *home)
{
	char path[PATH_MAX], byte;

	return format_path(path, "%s/" PROCDIRS, home) == 0 && readlink(path, &byte, 1) > 0 &&
	       unlink(path) == 0;
}

int home_prepare_starts(char starts[PATH_MAX], const struct caller *caller, const char *home,
			enum home_use use, struct failure *failure)
{
	char own[40];
	const bool forced = home_forced();
	const bool writable = use != HOME_COVERED;
	const bool mounts = use == HOME_MOUNTS;
	const char *const places[][2] = {
		{ forced ? NULL : "/tmp", own },
		{ forced ? NULL : getenv("XDG_RUNTIME_DIR"),
		  mounts ? "/fuselage-mounts" : "/fuselage-starts" },
	};
	const char *const at_home[] = { home, mounts ? "/" HOST_MOUNTS : "/" PROCDIRS };

	snprintf(own, sizeof own, "/.fuselage-%u%s", (unsigned)caller->uid,
		 mounts ? "-mounts" : "");
	OWNED_FD fd = use_first(starts, caller, places, COUNT(places), writable, failure);
	/* What cleans up in /tmp leaves sticky files, and so the folder that mounts are on. */
	if (fd >= 0)
		mknodat(fd, ".keep", S_IFREG | S_ISVTX | 0600, 0);
	if (fd < 0 && *home) {
		/* Again, since another start may leave its link at any time. */
		do {
			failure_clear(failure);
			fd = use_place(starts, caller, at_home, writable, failure);
		} while (fd < 0 && !mounts && forget_link(home));
	}
	if (fd < 0)
		return -1;
	descriptor_path(fd, starts, PATH_MAX);
	return 0;
}
