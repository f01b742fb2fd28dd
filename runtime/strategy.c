#include "strategy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"
#include "fuse/mount.h"
#include "home.h"
#include "loop.h"
#include "namespace.h"
#include "squashfs/extract.h"

/* What has been done so far; a refused strategy leaves it for the next one to build on. */
struct attempt {
	struct start *start;
	enum namespace_kind kind;
	bool entered;
	bool prepared; /* the directories stand */
	int host_namespace; /* open from before the namespace was entered, or -1 */
};

/* Once for all strategies. A namespace that was refused is refused again, with the same words. */
static int enter(struct attempt *attempt, struct failure *failure)
{
	if (!attempt->entered && namespace_enter(attempt->start, attempt->kind, failure) < 0)
		return -1;
	attempt->entered = true;
	if (!attempt->prepared && home_mount(attempt->start, failure) < 0)
		return -1;
	attempt->prepared = true;
	return 0;
}

/* The kernel's own squashfs over a loop device: nothing of ours is left running. */
static int try_loop(struct attempt *attempt, struct failure *failure)
{
	struct start *start = attempt->start;
	const struct sqfs_super *super = &start->fs.super;
	char path[32];
	struct stat st;

	if (attempt->kind != NAMESPACE_PRIVILEGED)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "needs CAP_SYS_ADMIN (running as uid %u without it)",
			    (unsigned)start->uid);
	if (!namespace_is_initial())
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "needs CAP_SYS_ADMIN in the initial user namespace");
	/* The device is as long as whole sectors of it; an unpadded image would lose its end. */
	if (fstat(start->file, &st) < 0 ||
	    (((uint64_t)st.st_size - start->image_offset) & ~UINT64_C(511)) < super->bytes_used)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "the image is not padded to whole 512-byte sectors");
	uint64_t size = (super->bytes_used + 4095) & ~UINT64_C(4095);
	OWNED_FD device = loop_attach(start->file, start->image_offset, size, path, failure);
	if (device < 0 || enter(attempt, failure) < 0)
		return -1;
	if (mount(path, start->bundle_dir, "squashfs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%s: squashfs (%s) cannot be mounted by this kernel", path,
				  sqfs_compressor_name(super->compressor));
	return 0;
}

static int try_fuse(struct attempt *attempt, struct failure *failure)
{
	struct start *start = attempt->start;
	struct fuse_mount mount = { .socket = -1 };
	bool one_owner = attempt->kind == NAMESPACE_USER;
	int result = -1;

	if (attempt->entered && attempt->host_namespace < 0)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "the host's mount namespace cannot be kept open for the server");
	if (fuse_server_start(start, one_owner, attempt->entered ? attempt->host_namespace : -1,
			      &mount, failure) == 0 &&
	    enter(attempt, failure) == 0)
		result = fuse_mount_attach(start, &mount, start->bundle_dir, failure);
	fuse_mount_close(&mount);
	return result;
}

/* Everything into memory: slow to start and large, but it asks for nothing but a namespace. */
static int try_extract(struct attempt *attempt, struct failure *failure)
{
	struct start *start = attempt->start;
	const char *target;
	struct extract_report report;
	struct extract_options options = {
		.owners = attempt->kind == NAMESPACE_PRIVILEGED,
		.xattrs = true,
	};

	if (enter(attempt, failure) < 0)
		return -1;
	target = start->bundle_dir;
	if (mount("fuselage", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=90%") < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: tmpfs cannot be mounted",
				  target);
	OWNED_FD dir = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s", target);
	if (extract_tree(start->reader, dir, &options, &report) < 0) {
		umount2(target, MNT_DETACH);
		if (report.error)
			return fail(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: /%s: %s (%s)",
				    start->path, report.path, sqfs_strerror(report.error),
				    sqfs_fault(start->reader));
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/%s: %s after %" PRIu64 " bytes in memory", report.path,
			    strerror(report.system_error), report.bytes);
	}
	close(steal_fd(&dir)); /* open for reading only, but the remount counts it */
	if (mount(NULL, target, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, "size=90%") <
	    0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%s: tmpfs cannot be made read-only", target);
	return 0;
}

static const struct strategy {
	const char *name;
	int (*try)(struct attempt *attempt, struct failure *failure);
} strategies[] = {
	{ "loop", try_loop },
	{ "fuse", try_fuse },
	{ "extract", try_extract },
};

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)

/* A corrupt image is the same for all of them; the next would only hide it. */
static bool is_final(const struct failure *failure)
{
	return failure->code == FUSELAGE_E_IMAGE_CORRUPT ||
	       failure->code == FUSELAGE_E_HOME_UNUSABLE;
}

static int apply_auto(struct attempt *attempt, struct failure *failure)
{
	char reasons[sizeof failure->text] = "";
	size_t used = 0;

	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		failure_clear(failure);
		if (strategies[i].try(attempt, failure) == 0) {
			failure_clear(failure);
			attempt->start->strategy = strategies[i].name;
			return 0;
		}
		if (is_final(failure))
			return -1;
		int n = snprintf(reasons + used, sizeof reasons - used, "\n  %s: %s",
				 strategies[i].name, failure->text);
		if (n > 0 && (size_t)n < sizeof reasons - used)
			used += (size_t)n;
	}
	failure_clear(failure);
	return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: the image cannot be mounted here%s",
		    attempt->start->path, reasons);
}

static int apply_one(struct attempt *attempt, const struct strategy *strategy,
		     struct failure *failure)
{
	struct failure reason = { 0 };

	if (strategy->try(attempt, &reason) == 0) {
		attempt->start->strategy = strategy->name;
		return 0;
	}
	if (is_final(&reason))
		return fail(failure, reason.code, "%s", reason.text);
	return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: FUSELAGE_MOUNT=%s: %.900s",
		    attempt->start->path, strategy->name, reason.text);
}

int strategy_apply(struct start *start, const char *wanted, struct failure *failure)
{
	struct attempt attempt = { .start = start, .kind = namespace_kind() };
	/* Only a privileged server can go back; an unprivileged one is forked before. */
	OWNED_FD host = attempt.kind == NAMESPACE_PRIVILEGED ?
				open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) :
				-1;

	attempt.host_namespace = host;
	if (strcmp(wanted, "auto") == 0)
		return apply_auto(&attempt, failure);
	for (size_t i = 0; i < STRATEGY_COUNT; i++)
		if (strcmp(wanted, strategies[i].name) == 0)
			return apply_one(&attempt, &strategies[i], failure);
	return fail(failure, FUSELAGE_E_MOUNT_OPTION,
		    "FUSELAGE_MOUNT=%.80s: expected auto, loop, fuse or extract", wanted);
}
