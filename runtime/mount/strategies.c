#include "mount/strategies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "bundle/image_failure.h"
#include "base/owned.h"
#include "cache/trees.h"
#include "fuse/fusermount.h"
#include "kernel/loop.h"
#include "kernel/namespace.h"
#include "kernel/mount_point.h"
#include "share/holder.h"

struct attempt {
	struct mounting *mounting;
	struct image_mount *image;
	const char *target;
};

int image_loop_device(const struct mounting *mounting, const struct archive *archive, char *path,
		      struct failure *failure)
{
	const struct sqfs_super *super = &archive->fs.super;

	if (mounting->identity->kind != NAMESPACE_PRIVILEGED)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "needs CAP_SYS_ADMIN (running as uid %u without it)",
			    (unsigned)mounting->identity->caller.uid);
	if (!namespace_is_initial(&mounting->identity->caller))
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "needs CAP_SYS_ADMIN in the initial user namespace");
	/* The device is as long as whole sectors of it; an unpadded image would lose its end. */
	if (((archive->size - archive->offset) & ~UINT64_C(511)) < super->bytes_used)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "the image is not padded to whole 512-byte sectors");
	uint64_t size = (super->bytes_used + 4095) & ~UINT64_C(4095);
	privileges_raise(&mounting->identity->caller);
	int device = loop_attach(archive->fd, archive->offset, size, path, failure);
	privileges_lower(&mounting->identity->caller);
	return device;
}

/* The kernel's own squashfs over a loop device: nothing of ours is left running. */
static int try_loop(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	const struct archive *archive = attempt->image->archive;
	char path[LOOP_PATH_MAX];

	if (mounting->identity->caller.setuid && !mounting->policy.loop)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/etc/fuselage.conf says loop = never");
	if (mounting->identity->kind == NAMESPACE_PRIVILEGED && attempt->image->one_owner)
		return fail(
			failure, FUSELAGE_E_MOUNT_REFUSED,
			"the kernel shows the image's owners, a writable copy needs the caller's");
	OWNED_FD device = image_loop_device(mounting, archive, path, failure);
	if (device < 0)
		return -1;
	if (mount_point_mount(mounting->identity, attempt->target,
			      &(struct mount_call){ path, "squashfs", MS_RDONLY, NULL }) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%s: squashfs (%s) cannot be mounted by this kernel", path,
				  sqfs_compressor_name(archive->fs.super.compressor));
	return 0;
}

static int start_server(const struct mounting *mounting, struct image_mount *image, bool one_owner,
			int host_namespace, struct failure *failure)
{
	const struct fuse_service service = { &image->archive->fs, mounting->fuse.cache_bytes,
					      one_owner, host_namespace };

	return fuse_server_start(mounting->identity, &service, &image->server, failure);
}

static int try_fuse(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct image_mount *image = attempt->image;
	int result;

	if (mounting->identity->kind == NAMESPACE_NONE)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%.300s", mounting->refusal);
	if (image->server.socket < 0) {
		/* A user's is there already, unless a mount was to be shared and is not: then this
		 * process cannot go back to where it would have been started. */
		bool user = mounting->identity->kind == NAMESPACE_USER;
		int where = user ? FUSE_SERVER_EMPTY_NAMESPACE : mounting->host_namespace;
		if (where == FUSE_SERVER_STAYS)
			return fail(
				failure, FUSELAGE_E_MOUNT_REFUSED,
				"the host's mount namespace cannot be kept open for the server");
		if (start_server(mounting, image,
				 image->one_owner || mounting->identity->caller.setuid || user,
				 where, failure) < 0)
			return -1;
	}
	result = fuse_mount_attach(mounting->identity, &image->server, attempt->target, failure);
	if (result < 0)
		fuse_mount_close(&image->server);
	return result;
}

/* The setuid helper of libfuse: on the host, where the others are refused. */
static int try_fusermount(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	struct fuse_mount *server = &attempt->image->server;
	char message[FUSERMOUNT_MESSAGE_MAX];
	int result = -1;

	if (mounting->identity->kind != NAMESPACE_NONE)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "cannot mount into a private namespace");
	if (start_server(mounting, attempt->image, true, FUSE_SERVER_STAYS, failure) < 0)
		return -1;
	OWNED_FD device = fusermount_mount(&mounting->identity->caller, attempt->target,
					   FUSERMOUNT_OPTIONS ",fsname=fuselage", failure);
	if (device >= 0) {
		result = fuse_mount_serve(server, device, failure);
		if (result < 0)
			fusermount_unmount(attempt->target, false, message);
	}
	fuse_mount_close(server);
	return result;
}

/*
 * Everything into memory: slow to start and large, but it asks for nothing but a namespace. Without
 * one to disk, where it stays for later starts.
 */
static int try_extract(struct attempt *attempt, struct failure *failure)
{
	fuse_mount_close(&attempt->image->server);
	if (attempt->mounting->identity->kind == NAMESPACE_NONE)
		return image_on_disk(attempt->mounting, attempt->image->archive, failure);
	return image_extract(attempt->mounting, attempt->image->archive, attempt->target,
			     !attempt->image->writable_copy, failure);
}

struct extraction_job {
	const struct archive *archive;
	const char *target;
};

static int extract_into(void *context, struct failure *failure)
{
	const struct extraction_job *job = context;
	OWNED_FD dir = open(job->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s", job->target);
	return archive_extract(job->archive, dir, failure);
}

int image_extract(struct mounting *mounting, const struct archive *archive, const char *target,
		  bool read_only, struct failure *failure)
{
	struct extraction_job job = {
		.archive = archive,
		.target = target,
	};

	if (mount_point_tmpfs(mounting->identity, target) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: tmpfs cannot be mounted",
				  target);
	if (privileges_isolated(&mounting->identity->caller, extract_into, &job, failure) < 0) {
		mount_point_unmount(mounting->identity, target);
		return -1;
	}
	if (read_only && mount_point_read_only(mounting->identity, target) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%s: tmpfs cannot be made read-only", target);
	return 0;
}

int image_on_disk(const struct mounting *mounting, struct archive *archive, struct failure *failure)
{
	return cache_tree_place(archive, &mounting->identity->caller, mounting->home,
				mounting->janitor, failure);
}

static const struct strategy {
	const char *name;
	int (*try)(struct attempt *attempt, struct failure *failure);
	bool shared; /* with later starts */
} strategies[] = {
#define ROW(name, shared, host) { #name, try_##name, shared },
	FUSELAGE_STRATEGIES(ROW)
#undef ROW
};

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)

static bool is_wanted(const struct mounting *mounting, const char *strategy)
{
	const char *wanted = mounting->type;

	return strcmp(wanted, "auto") == 0 || strcmp(wanted, strategy) == 0;
}

int image_mount_prepare(const struct mounting *mounting, struct image_mount *image,
			struct failure *failure)
{
	image->server.socket = -1;
	if (mounting->identity->kind != NAMESPACE_USER || mounting->share.joined ||
	    mounting->on_host || !is_wanted(mounting, "fuse"))
		return 0;
	return start_server(mounting, image, true, FUSE_SERVER_STAYS, failure);
}

int image_mount_attach(struct mounting *mounting, struct image_mount *image, const char *target,
		       struct failure *failure)
{
	struct attempt attempt = { mounting, image, target };
	const char *wanted = mounting->type;
	char reasons[sizeof failure->text] = "";
	size_t used = 0;

	if (mounting->share.mount >= 0 &&
	    share_attach(&mounting->share, mounting->identity, target) == 0) {
		mounting->strategy = mounting->share.strategy;
		return 0;
	}
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		const struct strategy *strategy = &strategies[i];
		struct failure reason = { 0 };
		if (!is_wanted(mounting, strategy->name))
			continue;
		if (!strategy->shared)
			share_close(&mounting->share);
		if (strategy->try(&attempt, &reason) == 0) {
			mounting->strategy = strategy->name;
			if (mounting->share.listener >= 0)
				holder_start(&mounting->share, mounting->identity, strategy->name,
					     image->archive, target, image->server.socket);
			fuse_mount_close(&image->server);
			return 0;
		}
		/* The same for all of them; the next would only hide it. */
		if (is_image_failure(&reason))
			return fail(failure, reason.code, "%s", reason.text);
		int n = snprintf(reasons + used, sizeof reasons - used, "\n  %s: %s",
				 strategy->name, reason.text);
		if (n > 0 && (size_t)n < sizeof reasons - used)
			used += (size_t)n;
	}
	return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
		    "%s: the image cannot be mounted here (%s)%s", image->archive->file, wanted,
		    reasons);
}
