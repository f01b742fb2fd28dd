#include "bundle/appimage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/descriptors.h"
#include "base/owned.h"
#include "bundle/image_failure.h"
#include "generated/names.h"
#include "generated/sections.h"

#define MAGIC_SIZE (sizeof APPIMAGE_MAGIC - 1)
#define APPRUN "AppRun"

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_magic(int fd)
{
	char found[MAGIC_SIZE];

	return pread_full(fd, found, sizeof found, APPIMAGE_MAGIC_OFFSET) == sizeof found &&
	       memcmp(found, APPIMAGE_MAGIC, MAGIC_SIZE) == 0;
}

/* Where memfd_create and shm_open have their files. */
static bool is_in_memory(const char *path)
{
	return starts_with(path, "/memfd:") || starts_with(path, "/dev/shm/");
}

/* The kernel's word for a file without a name is no part of the path that it had. */
static void strip_deleted(struct bundle *bundle)
{
	static const char word[] = " (deleted)";
	size_t length = strlen(bundle->path);
	struct stat st;

	if (length >= sizeof word && strcmp(bundle->path + length - (sizeof word - 1), word) == 0 &&
	    fstat(bundle->file, &st) == 0 && st.st_nlink == 0)
		bundle->path[length - (sizeof word - 1)] = 0;
}

static int open_target(struct bundle *bundle, const char *target, struct failure *failure)
{
	OWNED_FD fd = open(target, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || descriptor_path(fd, bundle->path, sizeof bundle->path) < 0)
		return fail_errno(failure, FUSELAGE_E_APPIMAGE_TARGET,
				  ENV_TARGET_APPIMAGE "=%.600s", target);
	close(bundle->file);
	bundle->file = steal_fd(&fd);
	bundle->argv0 = target;
	return 0;
}

bool appimage_is_marked(const struct bundle *bundle, const char *target)
{
	return has_magic(bundle->file) || (target && *target && is_in_memory(bundle->path));
}

int appimage_settle(struct bundle *bundle, const char *target, struct failure *failure)
{
	if (target && *target)
		return open_target(bundle, target, failure) < 0 ? -1 : 1;
	strip_deleted(bundle);
	return 0;
}

int appimage_has_apprun(const struct bundle *bundle, struct failure *failure)
{
	struct sqfs_inode inode;
	int error = sqfs_path_lookup(bundle->reader, APPRUN, false, &inode);

	if (error == SQFS_ENOENT || error == SQFS_ENOTDIR)
		return 0;
	if (error)
		return fail_sqfs(failure, error, sqfs_fault(bundle->reader), bundle->path, NULL);
	return 1;
}

int appimage_take_image(struct bundle *bundle, uint64_t offset, struct failure *failure)
{
	static const char *none[] = { NULL };
	struct manifest *manifest = &bundle->manifest;
	struct stat st;

	if (fstat(bundle->file, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", bundle->path);
	bundle->image_offset = offset;
	*manifest = (struct manifest){
		.name = "AppDir", /* without blanks, which many an AppRun does not expect */
		.entry = APPRUN,
		.version = "",
		.arch = "",
		.args = none,
		.invocation = none,
		.image_size = (uint64_t)st.st_size > offset ? (uint64_t)st.st_size - offset : 0,
		.runtime_options = true,
	};
	return 1;
}

int appimage_status(const struct bundle *bundle, const char *first, int status)
{
	if (!bundle->appimage || (first && starts_with(first, "--bundle-")))
		return status;
	if (first && starts_with(first, "--appimage-") &&
	    strcmp(first, "--appimage-extract-and-run") != 0)
		return 1;
	return 127; /* what system(3) and shells have for "could not be started" */
}
