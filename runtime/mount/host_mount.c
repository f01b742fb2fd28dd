#include "mount/host_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "kernel/detached_mount.h"
#include "fuse/fusermount.h"
#include "fuse/fuse_mount.h"
#include "mount/strategies.h"
#include "kernel/loop.h"
#include "kernel/mount_point.h"

struct attempt {
	struct mounting *mounting;
	const struct archive *archive;
	char source[PATH_MAX]; /* as the mount table shows it */
	const char *target; /* NULL: detached */
	int fd; /* of the detached mount */
};

static bool is_one_owner(const struct mounting *mounting)
{
	return mounting->fuse.uid != (uid_t)-1 || mounting->fuse.gid != (gid_t)-1;
}

static int carry_out(struct attempt *attempt, struct mount_call *call, struct failure *failure)
{
	if (attempt->mounting->fuse.noexec)
		call->flags |= MS_NOEXEC;
	if (!attempt->target) {
		attempt->fd = detached_mount(call, failure);
		return attempt->fd < 0 ? -1 : 0;
	}
	if (mount_point_mount(attempt->mounting->identity, attempt->target, call) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: mount of type %s",
				  attempt->target, call->type);
	return 0;
}

static int try_loop(struct attempt *attempt, struct failure *failure)
{
	char path[LOOP_PATH_MAX];
	struct mount_call call = { path, "squashfs", MS_RDONLY, NULL };

	if (is_one_owner(attempt->mounting))
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "the kernel shows the image's owners: uid= and gid= are for fuse");
	OWNED_FD device = image_loop_device(attempt->mounting, attempt->archive, path, failure);
	return device < 0 ? -1 : carry_out(attempt, &call, failure);
}

static void undo(struct attempt *attempt)
{
	if (attempt->target)
		mount_point_unmount(attempt->mounting->identity, attempt->target);
	else
		close(steal_fd(&attempt->fd));
}

static int try_fuse(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	char options[128];
	struct mount_call call = { attempt->source, "fuse.fuselage", MS_RDONLY, options };
	const struct fuse_service service = { &attempt->archive->fs, mounting->fuse.cache_bytes,
					      is_one_owner(mounting), FUSE_SERVER_EMPTY_NAMESPACE };
	struct fuse_mount server;
	int result;

	if (mounting->identity->kind != NAMESPACE_PRIVILEGED)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "needs CAP_SYS_ADMIN (running as uid %u without it); fusermount does "
			    "not",
			    (unsigned)mounting->identity->caller.uid);
	OWNED_FD device = fuse_open_device(failure);
	if (device < 0 || fuse_server_start(mounting->identity, &service, &server, failure) < 0)
		return -1;
	/* What root mounts is there for everyone, as with any other file system. */
	snprintf(options, sizeof options, FUSE_MOUNT_OPTIONS, device,
		 (unsigned)mounting->identity->caller.uid,
		 (unsigned)mounting->identity->caller.gid);
	result = carry_out(attempt, &call, failure);
	if (result == 0) {
		result = fuse_mount_serve(&server, device, failure);
		if (result < 0)
			undo(attempt);
	}
	fuse_mount_close(&server);
	return result;
}

/* The list for fusermount3, in which a comma and a backslash in the name of the file count. */
static void fusermount_options(const struct attempt *attempt, char *options)
{
	const struct fuse_options *chosen = &attempt->mounting->fuse;
	char *out = options + snprintf(options, sizeof FUSERMOUNT_OPTIONS + 32,
				       FUSERMOUNT_OPTIONS "%s%s,fsname=",
				       chosen->allow_other ? ",allow_other" : "",
				       chosen->noexec ? ",noexec" : "");

	for (const char *in = attempt->source; *in; in++) {
		if (*in == ',' || *in == '\\')
			*out++ = '\\';
		*out++ = *in;
	}
	*out = 0;
}

static int try_fusermount(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	char options[sizeof FUSERMOUNT_OPTIONS + 32 + 2 * PATH_MAX];
	char message[FUSERMOUNT_MESSAGE_MAX];
	/* A user could not read what only the image's owner may. */
	bool one_owner = is_one_owner(mounting) || mounting->identity->kind != NAMESPACE_PRIVILEGED;
	const struct fuse_service service = { &attempt->archive->fs, mounting->fuse.cache_bytes,
					      one_owner, FUSE_SERVER_STAYS };
	struct fuse_mount server;
	int result = -1;

	if (!attempt->target)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "makes no detached mounts");
	if (fuse_server_start(mounting->identity, &service, &server, failure) < 0)
		return -1;
	fusermount_options(attempt, options);
	OWNED_FD device =
		fusermount_mount(&mounting->identity->caller, attempt->target, options, failure);
	if (device >= 0) {
		result = fuse_mount_serve(&server, device, failure);
		if (result < 0)
			fusermount_unmount(attempt->target, true, message);
	}
	fuse_mount_close(&server);
	return result;
}

static const struct {
	const char *name;
	int (*try)(struct attempt *attempt, struct failure *failure);
} ways[] = {
	{ "loop", try_loop },
	{ "fuse", try_fuse },
	{ "fusermount", try_fusermount },
};

static int attach(struct attempt *attempt, struct failure *failure)
{
	struct mounting *mounting = attempt->mounting;
	const char *wanted = mounting->type;
	char reasons[sizeof failure->text] = "";
	size_t used = 0;

	/* Not E_MOUNT_REFUSED: the word is at fault, not the machine. */
	if (strcmp(wanted, "extract") == 0)
		return fail(failure, FUSELAGE_E_MOUNT_OPTION,
			    "extract leaves no mount: expected auto, loop, fuse or fusermount");
	if (mounting->fuse.uid != (uid_t)-1)
		mounting->identity->uid = mounting->fuse.uid;
	if (mounting->fuse.gid != (gid_t)-1)
		mounting->identity->gid = mounting->fuse.gid;
	if (host_mount_resolve(attempt->archive->file, 0, attempt->source) < 0)
		strcpy(attempt->source, "fuselage"); /* gone; it is a name only */
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct failure reason = { 0 };
		if (strcmp(wanted, "auto") != 0 && strcmp(wanted, ways[i].name) != 0)
			continue;
		if (ways[i].try(attempt, &reason) == 0) {
			mounting->strategy = ways[i].name;
			return 0;
		}
		int n = snprintf(reasons + used, sizeof reasons - used, "\n  %s: %.300s",
				 ways[i].name, reason.text);
		if (n > 0 && (size_t)n < sizeof reasons - used)
			used += (size_t)n;
	}
	return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%.300s: cannot be mounted (%s)%s",
		    attempt->archive->file, wanted, reasons);
}

int host_mount(struct mounting *mounting, const struct archive *archive, const char *target,
	       struct failure *failure)
{
	struct attempt attempt = { .mounting = mounting, .archive = archive, .target = target };

	return attach(&attempt, failure);
}

int host_mount_detached(struct mounting *mounting, const struct archive *archive,
			struct failure *failure)
{
	struct attempt attempt = { .mounting = mounting, .archive = archive, .fd = -1 };

	return attach(&attempt, failure) < 0 ? -1 : attempt.fd;
}

int host_unmount(const struct mounting *mounting, const char *target, struct failure *failure)
{
	char message[FUSERMOUNT_MESSAGE_MAX];

	if (mounting->identity->kind == NAMESPACE_PRIVILEGED) {
		if (umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
			return 0;
		return fail_errno(failure, FUSELAGE_E_UMOUNT, "%.300s", target);
	}
	if (fusermount_unmount(target, true, message) == 0)
		return 0;
	return fail(failure, FUSELAGE_E_UMOUNT, "%.300s: %s", target, message);
}

int host_mount_resolve(const char *path, int flags, char resolved[PATH_MAX])
{
	OWNED_FD fd = open(path, O_PATH | O_CLOEXEC | flags);

	return fd < 0 ? -1 : descriptor_path(fd, resolved, PATH_MAX);
}
