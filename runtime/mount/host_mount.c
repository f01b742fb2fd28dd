#include "mount/host_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "flavour/flavour.h"
#include "fuse/fusermount.h"
#include "kernel/namespace.h"
#include "mount/auto_unmount.h"
#include "mount/strategies.h"

/* What a start does not have: owners by choice, and the name of the file in the table of mounts. */
static void choose(struct mounting *mounting, struct image_mount *image, char source[PATH_MAX])
{
	image->one_owner = mounting->fuse.uid != (uid_t)-1 || mounting->fuse.gid != (gid_t)-1;
	if (mounting->fuse.uid != (uid_t)-1)
		mounting->identity->uid = mounting->fuse.uid;
	if (mounting->fuse.gid != (gid_t)-1)
		mounting->identity->gid = mounting->fuse.gid;
	if (host_mount_resolve(image->archive->file, 0, source) == 0)
		image->source = source;
}

/* What auto_unmount leaves behind: nothing where the kernel serves and nobody waits. */
static int watch(const struct mounting *mounting, const struct image_mount *image,
		 const char *target, int *waiter, struct failure *failure)
{
	struct failure ignored = { 0 };

	if (!mounting->fuse.auto_unmount || (image->server.socket < 0 && !waiter) ||
	    auto_unmount_start(target, image->server.socket, waiter, failure) == 0)
		return 0;
	host_unmount(mounting, target, &ignored);
	return -1;
}

static int refuse_auto_unmount(const struct mounting *mounting, struct failure *failure)
{
	return mounting->fuse.auto_unmount ?
		       fail(failure, FUSELAGE_E_FUSE_OPTION,
			    "-o: auto_unmount is for a mount at a directory: a detached one goes "
			    "with its last descriptor, or stays where it was moved to") :
		       0;
}

/* Returns a detached mount, 0 for one at `target`, or -1. */
static int attach(struct mounting *mounting, struct archive *archive,
		  enum mount_destination destination, const char *target, int *waiter,
		  struct failure *failure)
{
	const struct fuse_options *chosen = &mounting->fuse;
	struct image_mount image;
	char source[PATH_MAX];
	int result;

	if (flavour_is_runner && mounting->identity->kind != NAMESPACE_PRIVILEGED &&
	    (chosen->suid || chosen->dev || *chosen->contexts))
		return fail(failure, FUSELAGE_E_FUSE_OPTION,
			    "-o: suid, dev and contexts are for who may mount (CAP_SYS_ADMIN)");
	image_mount_init(&image, archive, destination);
	choose(mounting, &image, source);
	if (mounting->identity->kind == NAMESPACE_PRIVILEGED &&
	    namespace_probe(mounting->identity, &mounting->refusal) < 0)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: %s", archive->file,
			    mounting->refusal.text);
	if (image_mount_attach(mounting, &image, target, failure) < 0)
		return -1;
	if (!target)
		return image.detached;
	result = flavour_is_runner ? watch(mounting, &image, target, waiter, failure) : 0;
	fuse_mount_close(&image.server);
	return result;
}

int host_mount(struct mounting *mounting, struct archive *archive, const char *target, int *waiter,
	       struct failure *failure)
{
	return attach(mounting, archive, MOUNT_ON_HOST, target, waiter, failure);
}

int host_mount_detached(struct mounting *mounting, struct archive *archive, struct failure *failure)
{
	if (refuse_auto_unmount(mounting, failure) < 0)
		return -1;
	return attach(mounting, archive, MOUNT_DETACHED, NULL, NULL, failure);
}

int host_mount_serve(struct mounting *mounting, struct archive *archive, int device,
		     struct failure *failure)
{
	struct image_mount image;
	char source[PATH_MAX];

	if (refuse_auto_unmount(mounting, failure) < 0)
		return -1;
	image_mount_init(&image, archive, MOUNT_DETACHED);
	choose(mounting, &image, source);
	return image_serve(mounting, &image, device, failure);
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
	struct statx st[2] = { 0 };
	OWNED_FD fd = open(path, O_PATH | O_CLOEXEC | flags);

	if (fd < 0 || descriptor_path(fd, resolved, PATH_MAX) < 0)
		return -1;
	/*
	 * The kernel calls what is at the top of a mount "/" when that was taken away meanwhile. Neither says anything
	 * of a server that was killed, and one that stands still is not asked.
	 */
	syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st[0]);
	syscall(SYS_statx, AT_FDCWD, resolved, AT_STATX_DONT_SYNC, STATX_INO, &st[1]);
	if (st[0].stx_dev_major == st[1].stx_dev_major &&
	    st[0].stx_dev_minor == st[1].stx_dev_minor && st[0].stx_ino == st[1].stx_ino)
		return 0;
	errno = ESTALE;
	return -1;
}
