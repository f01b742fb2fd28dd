#include "guest/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest/directories.h"

/* As if this were the process 1 that starts it. */
#define PROCDIR STARTS_DIRECTORY "/1"
#define OVERLAY STARTS_DIRECTORY "/overlay"

static int make(const char *path, struct failure *failure)
{
	if (directories_make(path) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "directory %.600s", path);
}

/* Its changes are in memory. */
static int mount_writable(const struct disk *disk, const char *target, struct failure *failure)
{
	static const char options[] = "lowerdir=" OVERLAY "/lower,upperdir=" OVERLAY
				      "/upper,workdir=" OVERLAY "/work";

	if (make(OVERLAY "/lower", failure) < 0 || make(OVERLAY "/upper", failure) < 0 ||
	    make(OVERLAY "/work", failure) < 0 ||
	    disk_mount(disk, OVERLAY "/lower", MS_NOSUID, failure) < 0)
		return -1;
	if (mount("fuselage", target, "overlay", MS_NOSUID | MS_NODEV, options) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "writable image (overlayfs)");
}

/* Folders of the image at paths of the machine's, where nothing is in their way. */
static int place_maps(const struct start *start, struct failure *failure)
{
	const struct invocation *invocation = &start->invocation;

	for (size_t i = 0; i < invocation->map_count; i++) {
		const struct map *map = &invocation->maps[i];
		char source[2 * PATH_MAX];
		snprintf(source, sizeof source, "%s/%.*s", invocation->archives[0].target,
			 (int)map->source_size, map->source);
		if (make(map->path, failure) < 0)
			return -1;
		if (mount(source, map->path, NULL, MS_BIND | MS_REC, NULL) < 0)
			return fail_errno(failure, FUSELAGE_E_GUEST_START, "%.600s", map->text);
	}
	return 0;
}

static int begin(struct start *start, const struct bundle *bundle, struct failure *failure)
{
	struct archive *archive = calloc(1, sizeof *archive);

	if (!archive)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "archive");
	archive_from_bundle(archive, bundle);
	start->invocation = (struct invocation){
		.archives = archive,
		.count = 1,
		.maps = bundle->manifest.maps,
		.map_count = bundle->manifest.map_count,
	};
	start->is_bundle = true;
	snprintf(start->procdir.base, sizeof start->procdir.base, "%s", STARTS_DIRECTORY);
	snprintf(start->procdir.path, sizeof start->procdir.path, "%s", PROCDIR);
	if (archive->fixed)
		snprintf(archive->target, sizeof archive->target, FIXED_DIRECTORY "/%s",
			 archive->name);
	else
		snprintf(archive->target, sizeof archive->target, PROCDIR "/%s/%s",
			 archive->use == ARCHIVE_STATIC ? "static" : "dynamic", archive->name);
	return 0;
}

int image_place(struct start *start, struct guest *guest, struct failure *failure)
{
	const struct manifest *manifest = &guest->app.bundle.manifest;

	if (begin(start, &guest->app.bundle, failure) < 0)
		return -1;
	const char *target = start->invocation.archives[0].target;
	/* What is set-id in a root directory is so for the users of that. */
	unsigned long flags = manifest->root.is_root ? 0 : MS_NOSUID;
	if (make(PROCDIR "/tmp", failure) < 0 || make(target, failure) < 0 ||
	    (manifest->writable ? mount_writable(&guest->app, target, failure) :
				  disk_mount(&guest->app, target, flags, failure)) < 0)
		return -1;
	start->procdir.fd = open(PROCDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!guest->run.has_root)
		return place_maps(start, failure);
	return make(GUEST_ROOT_IMAGE, failure) < 0 ?
		       -1 :
		       disk_mount(&guest->root, GUEST_ROOT_IMAGE, 0, failure);
}
