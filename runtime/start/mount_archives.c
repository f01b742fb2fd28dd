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

#include "bundle/bundle.h"
#include "bundle/image_failure.h"
#include "base/descriptors.h"
#include "base/owned.h"
#include "flavour/flavour.h"
#include "cache/zip_images.h"
#include "start/run_directory.h"
#include "start/home.h"
#include "start/maps.h"
#include "mount/strategies.h"
#include "start/on_host.h"
#include "kernel/namespace.h"
#include "kernel/mount_point.h"
#include "start/procdir.h"
#include "generated/names.h"

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
	n = snprintf(archive->target, sizeof archive->target, "%s/%s", start->procdir.path, name);
	if (n >= (int)sizeof archive->target)
		errno = ENAMETOOLONG;
	else if (start->identity.kind == NAMESPACE_NONE && start->mounting.share.mount >= 0)
		return 0; /* a link will do: on a disk it takes long to remove a directory */
	else if (procdir_add(&start->procdir, &start->identity, name, 0755) == 0 &&
		 (archive->use != ARCHIVE_EMPTY ||
		  procdir_give(&start->procdir, &start->identity, name) == 0))
		return 0;
	return fail_errno(failure, FUSELAGE_E_HOME_UNUSABLE, "%s/%s", start->procdir.path, name);
}

#define LAYER_MAX 80 /* bytes */

/* Without user.* attributes on tmpfs (Linux before 6.6) an overlay in a user namespace could not
 * replace a directory: better told now than by the app's failure later. */
static bool can_mark(const struct start *start, const char *upper)
{
	char link[LAYER_MAX];

	descriptor_link(link, sizeof link, start->procdir.fd, upper);
	return start->identity.kind == NAMESPACE_PRIVILEGED ||
	       setxattr(link, "user.fuselage", "", 0, 0) == 0;
}

/* Each layer is what it was made as: the image, and directories of this start's own. */
static bool are_layers(const struct start *start, const char *const paths[])
{
	struct stat st[3], own;

	if (fstat(start->procdir.fd, &own) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (fstatat(start->procdir.fd, paths[i], &st[i], AT_SYMLINK_NOFOLLOW) < 0 ||
		    (st[i].st_dev == own.st_dev) != (i > 0))
			return false;
	return true;
}

/*
 * The layers are named by the descriptor of the start's directory, or relative to it: a path of the
 * caller's may hold what separates options.
 */
static int mount_overlay(const struct start *start, const struct archive *archive,
			 const char *const layers[])
{
	char options[3 * (LAYER_MAX + 32) + 64], base[32];
	const char *target = archive->target;
	bool setuid = start->identity.caller.setuid;

	descriptor_link(base, sizeof base, start->procdir.fd, "");
	if (setuid)
		*base = 0;
	if (!archive->fixed)
		target += strlen(start->procdir.path) + 1;
	snprintf(options, sizeof options, "lowerdir=%s%s,upperdir=%s%s,workdir=%s%s%s", base,
		 layers[0], base, layers[1], base, layers[2],
		 start->identity.kind == NAMESPACE_USER ? ",userxattr" : "");
	if (!are_layers(start, layers) || !can_mark(start, layers[1]))
		return -1;
	OWNED_FD point = mount_point_open(&start->identity, archive->target);
	if (point < 0)
		return -1;
	return mount_at(&start->identity, setuid ? start->procdir.fd : point, setuid ? target : ".",
			&(struct mount_call){ "fuselage", "overlay", 0, options });
}

static int place_overlay(struct start *start, struct image_mount *image, size_t number,
			 struct failure *failure)
{
	static const char *const names[] = { "lower", "upper", "work" };
	char base[32], layers[3][LAYER_MAX], path[PATH_MAX + sizeof layers];
	const char *paths[3];

	snprintf(base, sizeof base, ".overlay/%zu", number);
	if ((procdir_add(&start->procdir, &start->identity, ".overlay", 0755) < 0 &&
	     errno != EEXIST) ||
	    procdir_add(&start->procdir, &start->identity, base, 0755) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s/%s", start->procdir.path,
				  base);
	for (size_t i = 0; i < 3; i++) {
		snprintf(layers[i], sizeof layers[i], "%s/%s", base, names[i]);
		paths[i] = layers[i];
		if (procdir_add(&start->procdir, &start->identity, layers[i], 0755) < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s/%s",
					  start->procdir.path, layers[i]);
	}
	snprintf(path, sizeof path, "%s/%s", start->procdir.path, layers[0]);
	if (image_mount_attach(&start->mounting, image, path, failure) < 0)
		return -1;
	/* The root of the merged tree is the upper layer's. */
	if (procdir_give(&start->procdir, &start->identity, layers[1]) == 0 &&
	    mount_overlay(start, image->archive, paths) == 0)
		return 0;
	fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: overlayfs", image->archive->target);
	mount_point_unmount(&start->identity, path);
	return -1;
}

static int place_dynamic(struct start *start, struct archive *archive, struct image_mount *image,
			 size_t number, struct failure *failure)
{
	struct failure refused = { 0 };

	if (strcmp(start->mounting.type, "extract") != 0) {
		if (place_overlay(start, image, number, &refused) == 0)
			return 0;
		if (is_image_failure(&refused) || start->mounting.record >= 0)
			return fail_as(failure, &refused);
	}
	fuse_mount_close(&image->server);
	share_close(&start->mounting.share);
	start->mounting.strategy = "extract";
	return image_extract(&start->mounting, archive, archive->target, false, failure);
}

static int place(struct start *start, struct archive *archive, struct image_mount *image,
		 size_t number, struct failure *failure)
{
	if (make_target(start, archive, failure) < 0)
		return -1;
	if (archive->use == ARCHIVE_EMPTY) {
		if (archive->fixed && mount_point_tmpfs(&start->identity, archive->target) < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: tmpfs",
					  archive->target);
		return 0;
	}
	if (archive_is_zip(archive))
		return start->identity.kind == NAMESPACE_NONE ?
			       image_on_disk(&start->mounting, archive, failure) :
			       image_extract(&start->mounting, archive, archive->target,
					     archive->use == ARCHIVE_STATIC, failure);
	if (archive->use == ARCHIVE_DYNAMIC)
		return place_dynamic(start, archive, image, number, failure);
	if (image_mount_attach(&start->mounting, image, archive->target, failure) < 0)
		return -1;
	keep_bind(start, archive);
	return 0;
}

struct cache_job {
	const struct start *start;
	const struct archive *archive;
};

/* For privileges_isolated. */
static int open_cached(void *context, struct failure *failure)
{
	const struct cache_job *job = context;

	return cache_open(job->start->home, job->archive->fd, job->archive->size,
			  job->archive->file, &job->start->identity.caller, failure);
}

/* A zip that is kept as a squashfs image is one from here on. */
static int use_cache(const struct start *start, struct archive *archive, struct failure *failure)
{
	struct cache_job job = { start, archive };
	int fd = privileges_isolated(&start->identity.caller, open_cached, &job, failure);

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
static void share(struct start *start)
{
	const struct share_terms terms = mounting_terms(&start->mounting);
	const struct archive *only = NULL;
	size_t count = 0;

	for (size_t i = 0; i < start->invocation.count; i++) {
		if (!is_image(&start->invocation.archives[i]))
			continue;
		only = &start->invocation.archives[i];
		count++;
	}
	if (count == 1)
		share_find(&start->mounting.share, &start->identity, &terms, only);
}

/* What is mounted already was looked at when it was. */
static int check_entry(struct start *start, struct failure *failure)
{
	struct archive *archive = start->invocation.archives;
	struct sqfs_inode entry;

	if (!start->bundle || start->mounting.share.joined)
		return 0;
	if (bundle_check_entry(start->bundle, &entry, failure) < 0)
		return -1;
	archive->entry = entry.type == SQFS_FILE ? entry.number : 0;
	archive->entry_size = entry.size;
	return 0;
}

/* While the host's namespace is still around. */
static int prepare(struct start *start, struct image_mount *images, struct failure *failure)
{
	for (size_t i = 0; i < start->invocation.count; i++) {
		struct archive *archive = &start->invocation.archives[i];
		if (archive->use == ARCHIVE_STATIC && archive_is_zip(archive) &&
		    start->invocation.cache_static && use_cache(start, archive, failure) < 0)
			return -1;
	}
	/* In a process of its own, which must not hold the namespace. */
	if (flavour_is_runner && start->invocation.cache_static)
		cache_reap(start->home, &start->identity.caller);
	if (run_directory_prepare(&start->invocation, &start->identity, failure) < 0)
		return -1;
	if (start->mounting.refusal.code != FUSELAGE_OK)
		return check_entry(start, failure);
	if (procdir_prepare(&start->procdir, &start->identity, start->home, failure) < 0)
		return -1;
	keep_open(start);
	share(start);
	if (check_entry(start, failure) < 0)
		return -1;
	keep_begin(start);
	for (size_t i = 0; i < start->invocation.count; i++)
		if (is_image(&start->invocation.archives[i]) &&
		    image_mount_prepare(&start->mounting, &images[i], failure) < 0)
			return -1;
	return 0;
}

/* Whether there is to be a namespace, before anything is done for it. */
static void decide(struct start *start)
{
	struct failure *refusal = &start->mounting.refusal;

	failure_clear(refusal);
	if (start->mounting.on_host)
		fail(refusal, FUSELAGE_E_NAMESPACE, "a namespace is not wanted");
	else if (strcmp(start->mounting.type, "fusermount") == 0)
		fail(refusal, FUSELAGE_E_NAMESPACE,
		     "fusermount3 mounts on the host, not in a namespace");
	else
		namespace_probe(&start->identity, refusal);
}

/* There is nothing to make a root directory of. */
static int refuse_root(const struct mounting *mounting, struct failure *failure)
{
	if (strcmp(mounting->type, "fusermount") == 0) {
		fail(failure, FUSELAGE_E_MOUNT_REFUSED,
		     "mounts on the host, and a root directory takes a namespace");
		return fail_cause(failure, FUSELAGE_CAUSE_UNSUITABLE);
	}
	if (identity_has_range(mounting->identity))
		return fail(failure, FUSELAGE_E_ROOT_START, "--range: %.600s",
			    mounting->refusal.text);
	fail(failure, FUSELAGE_E_ROOT_START,
	     "%.600s: what would work is to start as root, an administrator's `bundle doctor "
	     "--fix`, or "
	     "--bundle-extract DIR and a set-id `bwrap --bind DIR / --dev /dev --proc /proc`",
	     mounting->refusal.text);
	return fail_cause(failure, mounting->refusal.cause);
}

/* What needs no namespace goes on without. */
static int refuse(struct start *start, struct failure *failure)
{
	const struct mounting *mounting = &start->mounting;
	bool needed = strcmp(mounting->type, "loop") == 0 || strcmp(mounting->type, "fuse") == 0;

	if (flavour_is_runner && start->root)
		return refuse_root(mounting, failure);
	if (maps_are_wanted(start) && maps_without_namespace(start, failure) < 0)
		return -1;
	if (mounting->refusal.code == FUSELAGE_E_NAMESPACE && (!needed || mounting->on_host))
		return on_host_begin(start, failure);
	start->mounting.refused = mounting->refusal;
	fail(failure, FUSELAGE_E_MOUNT_REFUSED, "--mount-type=%s: %.900s", mounting->type,
	     mounting->refusal.text);
	return fail_cause(failure, mounting->refusal.cause);
}

static int enter(struct start *start, struct failure *failure)
{
	if (start->mounting.refusal.code != FUSELAGE_OK)
		return refuse(start, failure);
	if (start->identity.kind == NAMESPACE_PRIVILEGED) {
		privileges_raise(&start->identity.caller);
		start->mounting.host_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		privileges_lower(&start->identity.caller);
	}
	if (namespace_enter(&start->identity, start->mounting.share.joined, &start->cwd,
			    &start->mounting.refusal) < 0)
		return refuse(start, failure);
	share_leave_end(&start->mounting.share);
	if (procdir_mount(&start->procdir, &start->identity, start->home, failure) < 0)
		return -1;
	if (run_directory_cover(start, failure) < 0)
		return -1;
	return maps_are_wanted(start) ? maps_prepare(start, failure) : 0;
}

static void init(const struct start *start, struct image_mount *images)
{
	for (size_t i = 0; i < start->invocation.count; i++) {
		struct archive *archive = &start->invocation.archives[i];
		image_mount_init(&images[i], archive, MOUNT_IN_START);
		images[i].one_owner = archive->use == ARCHIVE_DYNAMIC &&
				      start->identity.caller.setuid;
	}
}

/* Returns 1 when it is mounted; 0 when it is not to be had like that, and nothing has changed. */
static int try_host_by(struct start *start, const char *way, struct image_mount *images,
		       struct failure *refused)
{
	const struct identity identity = start->identity;
	const char *type = start->mounting.type;

	failure_clear(refused);
	failure_clear(&start->mounting.refused);
	start->mounting.type = way;
	start->procdir.chosen = true;
	if (on_host_begin(start, refused) == 0) {
		keep_open(start);
		share(start);
		keep_begin(start);
		if (check_entry(start, refused) == 0 &&
		    place(start, start->invocation.archives, images, 0, refused) == 0)
			return 1;
		on_host_undo(start);
		/* In the strategy's own words, without the list that those who asked for it get. */
		if (start->mounting.refused.code != FUSELAGE_OK)
			*refused = start->mounting.refused;
	}
	start->identity = identity;
	start->mounting.type = type;
	start->procdir.chosen = false;
	return 0;
}

/* By each way that keeps the app in the caller's user namespace. Returns as for one, or -1. */
static int try_host(struct start *start, struct image_mount *images, struct failure *failure)
{
	const char *ways[ON_HOST_WAYS];
	size_t count = on_host_ways(start, ways);

	for (size_t i = 0; i < count; i++) {
		if (try_host_by(start, ways[i], images, &start->kept_out) > 0)
			return 1;
		if (start->kept_out.code == FUSELAGE_E_ENTRY_MISSING ||
		    is_image_failure(&start->kept_out))
			return fail_as(failure, &start->kept_out);
	}
	return 0;
}

static int place_all(struct start *start, struct image_mount *images, struct failure *failure)
{
	int result = try_host(start, images, failure);

	if (result != 0)
		return result < 0 ? -1 : 0;
	if (prepare(start, images, failure) < 0 || enter(start, failure) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < start->invocation.count; i++)
		result = place(start, &start->invocation.archives[i], &images[i], i, failure);
	if (result == 0 && maps_are_wanted(start) && start->identity.kind != NAMESPACE_NONE)
		result = maps_place(start, failure);
	return result;
}

int mount_archives(struct start *start, struct failure *failure)
{
	size_t count = start->invocation.count;
	OWNED struct image_mount *images = calloc(count + 1, sizeof *images);
	int result;

	if (!images)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "archives");
	start->mounting.host_namespace = -1;
	init(start, images);
	decide(start);
	result = maps_are_wanted(start) ? maps_begin(start, failure) : 0;
	if (result == 0)
		result = place_all(start, images, failure);
	if (result == 0)
		result = procdir_hand_over(&start->procdir, &start->identity, failure);
	for (size_t i = 0; i < count; i++)
		if (images[i].archive)
			fuse_mount_close(&images[i].server);
	if (start->mounting.host_namespace >= 0)
		close(start->mounting.host_namespace);
	start->mounting.host_namespace = -1;
	share_close(&start->mounting.share);
	return result;
}
