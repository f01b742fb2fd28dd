#include "pinned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/owned.h"

int open_mount_point(const struct start *start, const char *target, bool fixed)
{
	OWNED_FD fd = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (start->caller.setuid && st.st_uid != (fixed ? 0 : start->caller.uid)) {
		errno = EPERM;
		return -1;
	}
	return steal_fd(&fd);
}

int mount_pinned(const struct start *start, const char *target, bool fixed,
		 const struct mount_call *call)
{
	OWNED_FD fd = open_mount_point(start, target, fixed);
	char pinned[32];
	int result, error;

	if (fd < 0)
		return -1;
	snprintf(pinned, sizeof pinned, "/proc/self/fd/%d", fd);
	privileges_raise(&start->caller);
	result = mount(call->source, pinned, call->type, call->flags | MS_NOSUID | MS_NODEV,
		       call->options);
	error = errno;
	privileges_lower(&start->caller);
	errno = error;
	return result;
}

int mount_tmpfs(const struct start *start, const char *target, bool fixed)
{
	char options[96];

	/* Half of the memory, as every tmpfs: an archive that needs more is not for memory. */
	snprintf(options, sizeof options, "mode=0755,uid=%u,gid=%u", (unsigned)start->uid,
		 (unsigned)start->gid);
	return mount_pinned(start, target, fixed,
			    &(struct mount_call){ "fuselage", "tmpfs", 0, options });
}

int remount_read_only(const struct start *start, const char *target)
{
	OWNED_FD fd = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char pinned[32];
	int result, error;

	if (fd < 0)
		return -1;
	snprintf(pinned, sizeof pinned, "/proc/self/fd/%d", fd);
	privileges_raise(&start->caller);
	result = mount(NULL, pinned, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
	error = errno;
	privileges_lower(&start->caller);
	errno = error;
	return result;
}

void unmount_pinned(const struct start *start, const char *target)
{
	int error = errno;

	privileges_raise(&start->caller);
	umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	privileges_lower(&start->caller);
	errno = error;
}
