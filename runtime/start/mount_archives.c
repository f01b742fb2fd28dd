#include "start/mount_archives.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/owned.h"
#include "cache/zip_images.h"
#include "cache/trees.h"
#include "start/run_directory.h"
#include "start/home.h"
#include "mount/strategies.h"
#include "start/janitor.h"
#include "kernel/namespace.h"
#include "kernel/mount_point.h"
#include "start/procdir.h"

static int make_target(const struct start *start, struct archive *archive, struct failure *failure)
{
	const char *kind = archive->use == ARCHIVE_STATIC ? "static" : "dynamic";
	char name[NAME_MAX + 16];
	int n;

	if (archive->fixed) {
		snprintf(archive->target, sizeof archive->target, "%s/%s", FIXED_DIRECTORY,
			 archive->name);
		return 0;
	}
	snprintf(name, sizeof name, "%s/%s", kind, archive->name);
	n = snprintf(archive->target, sizeof archive->target, "%s/%s", start->procdir, name);
	if (n >= (int)sizeof archive->target)
		errno = ENAMETOOLONG;
	else if (procdir_add(start, name, 0755) == 0 &&
		 (archive->use != ARCHIVE_EMPTY || procdir_give(start, name) == 0))
		return 0;
	return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/%s", start->procdir, name);
}

/* Without user.* attributes on tmpfs (Linux before 6.6) an overlay in a user namespace could not
 * replace a directory: better told now than by the app's failure later. */
static bool can_mark(const struct start *start, const char *upper)
{
	return start->kind == NAMESPACE_PRIVILEGED ||
	       (fchdir(start->places) == 0 && setxattr(upper, "user.fuselage", "", 0, 0) == 0);
}

/* Each layer is what it was made as: the image, and directories of this start's own. */
static bool are_layers(const struct start *start, const char *const paths[])
{
	struct stat st[3], own;

	if (fstat(start->places, &own) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (fstatat(start->places, paths[i], &st[i], AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st[i].st_dev == own.st_dev) != (i > 0))
			return false;
	return true;
}

/*
 * The layers are named relative to the start's directory: a path of the caller's may hold what
 * separates options. The number keeps two archives apart.
 */
static int mount_overlay(const struct start *start, const struct archive *archive,
			 const char *const layers[])
{
	char options[200];
	const char *target = archive->target;

	if (!archive->fixed)
		target += strlen(start->procdir) + 1;
	snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s%s", layers[0],
		 layers[1], layers[2], start->kind == NAMESPACE_USER ? ",userxattr" : "");
	if (!are_layers(start, layers) || !can_mark(start, layers[1]))
		return -1;
	OWNED_FD point = mount_point_open(start, archive->target);
	if (point < 0)
		return -1;
	return mount_at(start, start->places, target,
			&(struct mount_call){ "fuselage", "overlay", 0, options });
}

static int place_overlay(struct start *start, struct image_mount *image, size_t number,
			 struct failure *failure)
{
	static const char *const names[] = { "lower", "upper", "work" };
	char base[32], layers[3][48], path[PATH_MAX + 64];
	const char *paths[3];

	snprintf(base, sizeof base, ".overlay/%zu", number);
	if ((procdir_add(start, ".overlay", 0755) < 0 && errno != EEXIST) ||
	    procdir_add(start, base, 0755) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s/%s", start->procdir, base);
	for (size_t i = 0; i < 3; i++) {
		snprintf(layers[i], sizeof layers[i], "%s/%s", base, names[i]);
		paths[i] = layers[i];
		if (procdir_add(start, layers[i], 0755) < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s/%s",
					  start->procdir, layers[i]);
	}
	snprintf(path, sizeof path, "%s/%s", start->procdir, layers[0]);
	if (image_mount_attach(start, image, path, failure) < 0)
		return -1;
	/* The root of the merged tree is the upper layer's. */
	if (procdir_give(start, layers[1]) == 0 && mount_overlay(start, image->archive, paths) == 0)
		return 0;
	fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: overlayfs", image->archive->target);
	mount_point_unmount(start, path);
	return -1;
}

static int place_dynamic(struct start *start, struct archive *archive, struct image_mount *image,
			 size_t number, struct failure *failure)
{
	struct failure refused = { 0 };

	if (strcmp(start->invocation.mount_type, "extract") != 0) {
		if (place_overlay(start, image, number, &refused) == 0)
			return 0;
		if (refused.code == FUSELAGE_E_IMAGE_CORRUPT)
			return fail(failure, refused.code, "%s", refused.text);
	}
	fuse_mount_close(&image->server);
	share_close(&start->share);
	start->strategy = "extract";
	return image_extract(start, archive, archive->target, false, failure);
}

static int place(struct start *start, struct archive *archive, struct image_mount *image,
		 size_t number, struct failure *failure)
{
	if (make_target(start, archive, failure) < 0)
		return -1;
	if (archive->use == ARCHIVE_EMPTY) {
		if (archive->fixed && mount_point_tmpfs(start, archive->target) < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: tmpfs",
					  archive->target);
		return 0;
	}
	if (archive->format == ARCHIVE_ZIP)
		return start->kind == NAMESPACE_NONE ?
			       cache_tree_place(start, archive, failure) :
			       image_extract(start, archive, archive->target,
					     archive->use == ARCHIVE_STATIC, failure);
	if (archive->use == ARCHIVE_DYNAMIC)
		return place_dynamic(start, archive, image, number, failure);
	return image_mount_attach(start, image, archive->target, failure);
}

struct cache_job {
	const struct start *start;
	const struct archive *archive;
};

/* For privileges_isolated. */
static int open_cached(void *context, struct failure *failure)
{
	const struct cache_job *job = context;

	return cache_open(job->start->home_path, job->archive->fd, job->archive->size,
			  job->archive->file, &job->start->caller, failure);
}

/* A zip that is kept as a squashfs image is one from here on. */
static int use_cache(const struct start *start, struct archive *archive, struct failure *failure)
{
	struct cache_job job = { start, archive };
	int fd = privileges_isolated(&start->caller, open_cached, &job, failure);

	if (fd < 0)
		return -1;
	close(archive->fd);
	archive->fd = fd;
	return archive_reopen(archive, failure);
}

static bool is_image(const struct archive *archive)
{
	return archive->use != ARCHIVE_EMPTY && archive->format == ARCHIVE_SQUASHFS;
}

/* One image shares its mount. Several would need one user namespace for all of their mounts. */
static void share(struct start *start, const struct image_mount *images)
{
	const struct archive *only = NULL;
	size_t count = 0;

	for (size_t i = 0; i < start->invocation.count; i++) {
		if (!is_image(images[i].archive))
			continue;
		only = images[i].archive;
		count++;
	}
	if (count == 1 && !start->on_host)
		share_find(start, only);
}

/* While the host's namespace is still around. */
static int prepare(struct start *start, struct image_mount *images, struct failure *failure)
{
	for (size_t i = 0; i < start->invocation.count; i++) {
		struct archive *archive = &start->invocation.archives[i];
		images[i].archive = archive;
		images[i].server.socket = -1;
		images[i].one_owner = archive->use == ARCHIVE_DYNAMIC && start->caller.setuid;
		if (archive->use == ARCHIVE_STATIC && archive->format == ARCHIVE_ZIP &&
		    start->invocation.cache_static && use_cache(start, archive, failure) < 0)
			return -1;
	}
	/* In a process of its own, which must not hold the namespace. */
	if (start->invocation.cache_static)
		cache_reap(start->home_path, &start->caller);
	if (run_directory_prepare(start, failure) < 0)
		return -1;
	share(start, images);
	for (size_t i = 0; i < start->invocation.count; i++)
		if (is_image(images[i].archive) &&
		    image_mount_prepare(start, &images[i], failure) < 0)
			return -1;
	return 0;
}

/* What can be done on the host: read-only archives at the start's own paths. */
static int check_host(const struct start *start, struct failure *failure)
{
	if (start->invocation.count == 0)
		return fail(failure, FUSELAGE_E_NAMESPACE, "%.400s", start->refusal);
	for (size_t i = 0; i < start->invocation.count; i++) {
		const struct archive *archive = &start->invocation.archives[i];
		bool wanted = archive->format == ARCHIVE_SQUASHFS ||
			      strcmp(start->invocation.mount_type, "fusermount") != 0;
		if (archive->use == ARCHIVE_STATIC && wanted && !archive->fixed)
			continue;
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "%s: without a namespace there are only read-only %s, and none at %s/ "
			    "(%.300s)",
			    archive->name, wanted ? "archives" : "squashfs images", FIXED_DIRECTORY,
			    start->refusal);
	}
	return 0;
}

/* Without a namespace: the directories are on the host, and somebody has to clean up. */
static int stay_on_host(struct start *start, struct failure *failure)
{
	/* Nothing here needs root, and all of it stands in the caller's home. */
	if (privileges_forget(&start->caller, failure) < 0)
		return -1;
	start->kind = NAMESPACE_NONE;
	start->uid = start->caller.uid;
	start->gid = start->caller.gid;
	janitor_sweep(start);
	if (check_host(start, failure) < 0 || procdir_make(start, failure) < 0)
		return -1;
	if (janitor_start(start, failure) == 0)
		return 0;
	procdir_unmake(start);
	return -1;
}

static int enter(struct start *start, struct failure *failure)
{
	const char *type = start->invocation.mount_type;
	bool automatic = strcmp(type, "auto") == 0 || strcmp(type, "extract") == 0;
	struct failure refused = { 0 };

	if (start->on_host) {
		snprintf(start->refusal, sizeof start->refusal, "a namespace is not wanted");
		return stay_on_host(start, failure);
	}
	if (strcmp(start->invocation.mount_type, "fusermount") == 0) {
		snprintf(start->refusal, sizeof start->refusal,
			 "fusermount3 mounts on the host, not in a namespace");
		return stay_on_host(start, failure);
	}
	if (start->kind == NAMESPACE_PRIVILEGED) {
		privileges_raise(&start->caller);
		start->host_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		privileges_lower(&start->caller);
	}
	if (namespace_enter(start, &refused) < 0) {
		snprintf(start->refusal, sizeof start->refusal, "%.500s", refused.text);
		if (!automatic || refused.code != FUSELAGE_E_NAMESPACE)
			return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "--mount-type=%s: %s",
				    start->invocation.mount_type, refused.text);
		return stay_on_host(start, failure);
	}
	if (procdir_mount(start, failure) < 0)
		return -1;
	return run_directory_cover(start, failure);
}

int mount_archives(struct start *start, struct failure *failure)
{
	size_t count = start->invocation.count;
	OWNED struct image_mount *images = calloc(count + 1, sizeof *images);
	int result;

	if (!images)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "archives");
	start->host_namespace = -1;
	result = prepare(start, images, failure);
	if (result == 0)
		result = enter(start, failure);
	for (size_t i = 0; result == 0 && i < count; i++)
		result = place(start, &start->invocation.archives[i], &images[i], i, failure);
	if (result == 0)
		result = procdir_hand_over(start, failure);
	for (size_t i = 0; i < count; i++)
		if (images[i].archive)
			fuse_mount_close(&images[i].server);
	if (start->host_namespace >= 0)
		close(start->host_namespace);
	start->host_namespace = -1;
	share_close(&start->share);
	return result;
}
