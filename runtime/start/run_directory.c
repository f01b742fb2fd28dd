#include "start/run_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "kernel/mount_point.h"
#include "generated/names.h"

static bool wanted(const struct invocation *invocation)
{
	for (size_t i = 0; i < invocation->count; i++)
		if (invocation->archives[i].fixed)
			return true;
	return false;
}

static int make_on_host(const struct invocation *invocation, int run, struct failure *failure)
{
	OWNED_FD base = open_root_directory(run, "fuselage");

	if (base < 0)
		return fail_errno(failure, FUSELAGE_E_FIXED_PATH, "%s", FIXED_DIRECTORY);
	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (!archive->fixed)
			continue;
		OWNED_FD fd = open_root_directory(base, archive->name);
		if (fd < 0)
			return fail_errno(failure, FUSELAGE_E_FIXED_PATH, "%s/%s", FIXED_DIRECTORY,
					  archive->name);
	}
	return 0;
}

int run_directory_prepare(const struct invocation *invocation, const struct identity *identity,
			  struct failure *failure)
{
	int result;

	if (identity->kind != NAMESPACE_PRIVILEGED || !wanted(invocation))
		return 0;
	OWNED_FD run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	privileges_raise(&identity->caller);
	result = make_on_host(invocation, run, failure);
	privileges_lower(&identity->caller);
	return result;
}

static bool all_there(const struct invocation *invocation)
{
	char path[PATH_MAX];
	struct stat st;

	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (!archive->fixed)
			continue;
		snprintf(path, sizeof path, "%s/%s", FIXED_DIRECTORY, archive->name);
		if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
			return false;
	}
	return true;
}

static int copy_symlink(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof target - 1);

	if (n < 0)
		return -1;
	target[n] = 0;
	return symlinkat(target, to, name);
}

/* One entry of the real directory, bound into the new one with all that is mounted below it. */
static int bind_entry(int from, int to, const char *name)
{
	char source[48 + NAME_MAX], target[48 + NAME_MAX];
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1; /* gone since it was listed */
	if (S_ISLNK(st.st_mode))
		return copy_symlink(from, to, name);
	if (S_ISDIR(st.st_mode)) {
		if (mkdirat(to, name, 0755) < 0)
			return -1;
	} else {
		int fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
		close(fd);
	}
	descriptor_link(source, sizeof source, from, name);
	descriptor_link(target, sizeof target, to, name);
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	return unlinkat(to, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0); /* gone meanwhile */
}

/* Binds everything but `skip`. */
static int bind_entries(const char *directory, int to, const char *skip)
{
	int from = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = from < 0 ? NULL : fdopendir(from);
	int result = 0;

	if (!dir)
		return -1;
	for (struct dirent *entry; result == 0 && (entry = readdir(dir));) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    (skip && strcmp(name, skip) == 0))
			continue;
		result = bind_entry(from, to, name);
	}
	int error = errno;
	closedir(dir);
	errno = error;
	return result;
}

static int make_fixed(const struct invocation *invocation, int run)
{
	if (mkdirat(run, "fuselage", 0755) < 0)
		return -1;
	OWNED_FD base = openat(run, "fuselage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || (bind_entries(FIXED_DIRECTORY, base, NULL) < 0 && errno != ENOENT))
		return -1;
	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (archive->fixed && mkdirat(base, archive->name, 0755) < 0 && errno != EEXIST)
			return -1;
	}
	return 0;
}

/* The new /run is put together aside and then moved over the old one, so that it is whole when it
 * is seen, and what it binds is still to be found. */
static int cover(const struct invocation *invocation, const struct identity *identity,
		 const char *aside)
{
	if (mkdir(aside, 0755) < 0 || mount_point_tmpfs(identity, aside) < 0)
		return -1;
	OWNED_FD run = open(aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run < 0 || bind_entries("/run", run, "fuselage") < 0 || make_fixed(invocation, run) < 0)
		return -1;
	if (mount(aside, "/run", NULL, MS_MOVE, NULL) < 0)
		return -1;
	return rmdir(aside);
}

int run_directory_cover(const struct invocation *invocation, const struct identity *identity,
			const struct procdir *procdir, struct failure *failure)
{
	char aside[PATH_MAX + 8];

	if (identity->kind == NAMESPACE_PRIVILEGED || !wanted(invocation) || all_there(invocation))
		return 0;
	snprintf(aside, sizeof aside, "%s/run", procdir->path);
	if (cover(invocation, identity, aside) < 0)
		return fail_errno(failure, FUSELAGE_E_FIXED_PATH,
				  "%s: /run cannot be covered in this namespace", FIXED_DIRECTORY);
	return 0;
}
