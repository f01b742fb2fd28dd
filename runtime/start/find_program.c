#include "start/find_program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "generated/names.h"
#include "kernel/open_within.h"

/* Opens `path` with the archive's root as the root of every link; -1 and errno. */
static int open_inside(const char *root, const char *path)
{
	OWNED_FD base = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };

	return base < 0 ? -1 : open_within(base, path, how);
}

static bool same_file(int fd, const char *path)
{
	struct stat inside, outside;

	return fstat(fd, &inside) == 0 && stat(path, &outside) == 0 &&
	       inside.st_dev == outside.st_dev && inside.st_ino == outside.st_ino;
}

/* ".." is for links to use, not for the option. */
static bool climbs(const char *path)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += strspn(at, "/");
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == 0))
			return true;
	}
	return false;
}

/*
 * Whether the archive has `path`. `found` takes the path to execute: the one that was asked for
 * where the kernel would come to the same file by it, because programs look at their own path.
 * `as_is`: the path was given as /run/fuselage/NAME/path, which means what it means to the kernel;
 * the interpreter of a venv is a link to one of the host's.
 */
static bool has_path(const struct archive *archive, const char *path, bool as_is, char *found)
{
	struct stat st;

	path += strspn(path, "/");
	if (!*path || climbs(path) ||
	    snprintf(found, PATH_MAX, "%s/%s", archive->target, path) >= PATH_MAX)
		return false;
	if (as_is)
		return stat(found, &st) == 0;
	OWNED_FD fd = open_inside(archive->target, path);
	if (fd < 0) /* Linux before 5.6 does not know the call and takes its own way */
		return errno == ENOSYS && stat(found, &st) == 0;
	if (same_file(fd, found))
		return true;
	return descriptor_path(fd, found, PATH_MAX) == 0;
}

/* The rest of `path` behind `prefix` and a slash, or NULL. */
static const char *below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

struct search {
	char *path;
	unsigned found;
	char places[600]; /* for the failure */
	size_t used;
};

static void note(struct search *search, const struct archive *archive, const char *path, bool as_is)
{
	char found[PATH_MAX];

	if (!has_path(archive, path, as_is, found))
		return;
	if (search->found && strcmp(found, search->path) == 0)
		return; /* NAME/path and path of the same archive */
	if (search->found++ == 0)
		memcpy(search->path, found, strlen(found) + 1);
	int n = snprintf(search->places + search->used, sizeof search->places - search->used,
			 "\n  %s%s/%s", archive->fixed ? FIXED_DIRECTORY "/" : "", archive->name,
			 path + strspn(path, "/"));
	if (n > 0 && (size_t)n < sizeof search->places - search->used)
		search->used += (size_t)n;
}

static int check_executable(const char *wanted, const char *path, struct failure *failure)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_RUN_NOT_FOUND, "--run %.300s", wanted);
	if (!S_ISREG(st.st_mode))
		return fail(failure, FUSELAGE_E_RUN_NOT_EXECUTABLE,
			    "--run %.300s: expected a file, found %s", wanted,
			    S_ISDIR(st.st_mode) ? "a directory" : "something else");
	if (access(path, X_OK) < 0)
		return fail_errno(failure, FUSELAGE_E_RUN_NOT_EXECUTABLE, "--run %.300s", wanted);
	return 0;
}

int find_program(const struct invocation *invocation, const char *wanted, char *path,
		 struct failure *failure)
{
	struct search search = { .path = path };

	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		const char *fixed = below(wanted, FIXED_DIRECTORY);
		const char *named = below(fixed ? fixed : wanted, archive->name);
		if (named && archive->fixed == (fixed != NULL))
			note(&search, archive, named, fixed != NULL);
		if (!fixed)
			note(&search, archive, wanted, false);
	}
	if (search.found == 0)
		return fail(failure, FUSELAGE_E_RUN_NOT_FOUND,
			    "--run %.300s: in none of the %zu archives", wanted, invocation->count);
	if (search.found > 1)
		return fail(failure, FUSELAGE_E_RUN_AMBIGUOUS,
			    "--run %.200s: in more than one archive: name the one that is meant%s",
			    wanted, search.places);
	return check_executable(wanted, path, failure);
}
