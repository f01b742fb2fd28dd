#include "cli/mount_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "cli/container_hook.h"
#include "flavour/flavour.h"
#include "base/private_directory.h"
#include "mount/auto_unmount.h"
#include "mount/host_mount.h"
#include "mount/handover.h"
#include "kernel/trusted_path.h"
#include "squashfs_writer/zip_squashfs.h"
#include "generated/names.h"

/* In TMPDIR, which others must not be able to change: they could exchange what is mounted on. */
static int make_private(const struct caller *caller, const char *name, char target[PATH_MAX],
			struct failure *failure)
{
	const char *base = getenv(ENV_TMPDIR);
	char made[NAME_MAX + 1] = "";
	OWNED_FD parent = trusted_open(AT_FDCWD, base && *base ? base : "/tmp", caller, TRUSTED_ANY,
				       FUSELAGE_E_MOUNT_POINT, failure);
	OWNED_FD dir = private_directory(parent, name, made);

	if (dir < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_POINT, "%.300s", made);
	return descriptor_path(dir, target, PATH_MAX);
}

/* Signals that would end this process: whenever they come, what is left is a whole mount, or nothing. */
static int hold_signals(uint64_t endings)
{
	inherited_mask(SIG_BLOCK, endings);
	return (int)syscall(SYS_signalfd4, -1, &endings, sizeof endings, SFD_CLOEXEC);
}

/* By its device, which another file system has not got; ENOTCONN: its server was killed. */
static bool is_there(const char *target, dev_t device)
{
	struct stat st;

	return stat(target, &st) == 0 ? st.st_dev == device : errno == ENOTCONN;
}

/*
 * Returns true when `signals` has one, false when the mount is gone. Anybody may take it away as soon as it is
 * there: then what it covered, on another device, is seen again. Who does not wait only looks.
 */
static bool await_end(int signals, const char *target, dev_t covered, int patience)
{
	OWNED_FD table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct pollfd ends[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = table, .events = POLLPRI }, /* the table has changed */
	};
	struct stat st;

	if (stat(target, &st) < 0)
		return errno != ENOENT;
	while (st.st_dev != covered && is_there(target, st.st_dev)) {
		int n = poll(ends, 2, patience);
		if ((n < 0 && errno != EINTR) || ends[0].revents)
			return true;
		if (n == 0)
			break;
	}
	return false;
}

/* A zip file as an image of its files, in memory. */
static int convert(const struct caller *caller, struct archive *archive, struct failure *failure)
{
	struct zip *zip;
	OWNED_FD memory = memfd_create("fuselage-zip", MFD_CLOEXEC);

	if (memory < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s: memory", archive->file);
	if (zip_open(archive->fd, archive->size, archive->file, &zip, failure) < 0)
		return -1;
	int result = zip_to_squashfs(zip, memory, caller->uid, caller->gid, failure);
	zip_free(zip);
	if (result < 0)
		return -1;
	close(archive->fd);
	archive->fd = steal_fd(&memory);
	return archive_reopen(archive, failure);
}

int mount_archive(struct start *start, struct archive *archive, const char *dir, bool foreground,
		  struct failure *failure)
{
	char target[PATH_MAX];
	const uint64_t endings = inherited_endings();
	const bool waits = foreground || !dir;
	OWNED_FD waiter = -1;
	struct stat covered = { 0 }, now;

	if (archive_is_zip(archive) && convert(&start->identity.caller, archive, failure) < 0)
		return -1;
	OWNED_FD signals = hold_signals(endings);
	if (!dir && make_private(&start->identity.caller, archive->name, target, failure) < 0)
		return -1;
	if (dir && host_mount_resolve(dir, O_DIRECTORY, target) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_POINT, "%.300s", dir);
	stat(target, &covered);
	int result = host_mount(&start->mounting, archive, target, waits ? &waiter : NULL, failure);
	if (result == 0 && !dir) {
		puts(target);
		fflush(stdout); /* a reader that has gone is no reason to leave a mount behind */
	}
	/* Whoever still has files of it open keeps them; nobody finds it any more. */
	if (result == 0 && await_end(signals, target, covered.st_dev, waits ? -1 : 0) &&
	    host_unmount(&start->mounting, target, failure) < 0) {
		/* Somebody else may be faster. */
		if (stat(target, &now) < 0 || now.st_dev != covered.st_dev)
			result = -1;
		else
			failure_clear(failure);
	}
	if (flavour_is_runner && result == 0)
		auto_unmount_dismiss(&waiter);
	if (!dir)
		rmdir(target);
	/* One that waits has had the signal for its answer. */
	if (!waits)
		inherited_mask(SIG_UNBLOCK, endings);
	return result;
}

static int open_archive(struct start *start, struct archive *archive, struct failure *failure)
{
	const struct mount_request *request = &start->invocation.mount;

	if (fuse_options_parse(&start->mounting.fuse, FUSE_OPTIONS_MOUNT, request->options,
			       failure) < 0 ||
	    /* A bundle has its own open already. */
	    (flavour_is_runner && archive->fd < 0 ? archive_open(archive, failure) :
						    archive_reopen(archive, failure)) < 0)
		return -1;
	return archive_check(archive, failure);
}

/* A failure goes over the socket too, as far as there is one. */
static int hand_over(struct start *start, struct archive *archive, struct failure *failure)
{
	struct handover handover;
	OWNED_FD mount = -1;

	if (handover_take(&handover, failure) < 0)
		return -1;
	archive->fd = handover.image;
	int result = open_archive(start, archive, failure);
	if (result == 0 && archive_is_zip(archive))
		result = convert(&start->identity.caller, archive, failure);
	if (result == 0 && handover.device >= 0)
		result = host_mount_serve(&start->mounting, archive, handover.device, failure);
	else if (result == 0)
		result = mount = host_mount_detached(&start->mounting, archive, failure);
	return handover_send(handover.socket, mount, result < 0 ? NULL : start->mounting.strategy,
			     failure);
}

static int hand_to_container(struct start *start, struct archive *archive, struct failure *failure)
{
	if (archive_is_zip(archive) && convert(&start->identity.caller, archive, failure) < 0)
		return -1;
	return container_hook_run(start, archive, failure);
}

int mount_run(struct start *start, struct failure *failure)
{
	const struct mount_request *request = &start->invocation.mount;
	struct archive archive = { .option = "--mount", .file = request->file, .fd = -1 };
	int result;

	if (request->handover)
		result = hand_over(start, &archive, failure);
	else if (open_archive(start, &archive, failure) < 0)
		result = -1;
	else if (flavour_is_runner && request->container)
		result = hand_to_container(start, &archive, failure);
	else
		result = mount_archive(start, &archive, start->invocation.command[0],
				       request->foreground, failure);
	archive_close(&archive);
	return result;
}
