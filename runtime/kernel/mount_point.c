#include "kernel/mount_point.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"

int open_root_directory(int parent, const char *name)
{
	struct stat st;

	if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
		return -1;
	OWNED_FD fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		errno = EPERM;
		return -1;
	}
	return steal_fd(&fd);
}

int mount_point_open(const struct identity *identity, const char *target)
{
	OWNED_FD fd = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (identity->caller.setuid && st.st_uid != 0) {
		errno = EPERM;
		return -1;
	}
	return steal_fd(&fd);
}

int mount_point_real(const char *path, int flags)
{
	char real[PATH_MAX];
	OWNED_FD fd = open(path, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || descriptor_path(fd, real, sizeof real) < 0)
		return -1;
	if (strcmp(real, path) != 0) {
		errno = ESTALE;
		return -1;
	}
	return steal_fd(&fd);
}

static unsigned long kernel_flags(const struct mount_call *call)
{
	unsigned long flags = call->flags & ~(MOUNT_WITH_SUID | MOUNT_WITH_DEV);

	return flags | (call->flags & MOUNT_WITH_SUID ? 0 : MS_NOSUID) |
	       (call->flags & MOUNT_WITH_DEV ? 0 : MS_NODEV);
}

int mount_at(const struct identity *identity, int dir, const char *name,
	     const struct mount_call *call)
{
	unsigned long flags = kernel_flags(call);
	char place[PATH_MAX + 32];
	int result;

	if (!identity->caller.setuid) {
		descriptor_link(place, sizeof place, dir, name);
		return mount(call->source, place, call->type, flags, call->options);
	}
	privileges_raise(&identity->caller);
	result = fchdir(dir);
	if (result == 0)
		result = mount(call->source, name, call->type, flags, call->options);
	privileges_lower(&identity->caller);
	return result;
}

int mount_point_mount(const struct identity *identity, const char *target,
		      const struct mount_call *call)
{
	OWNED_FD fd = mount_point_open(identity, target);

	return fd < 0 ? -1 : mount_at(identity, fd, ".", call);
}

int mount_point_tmpfs(const struct identity *identity, const char *target)
{
	char options[96];

	/* Half of the memory, as every tmpfs: an archive that needs more is not for memory. */
	snprintf(options, sizeof options, "mode=0755,uid=%u,gid=%u", (unsigned)identity->uid,
		 (unsigned)identity->gid);
	return mount_point_mount(identity, target,
				 &(struct mount_call){ "fuselage", "tmpfs", 0, options });
}

int mount_point_read_only(const struct identity *identity, const char *target)
{
	OWNED_FD fd = open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* MS_BIND: of this mount alone. Without it every other mount of the same file system would
	 * become read-only too. */
	return fd < 0 ? -1 :
			mount_at(identity, fd, ".",
				 &(struct mount_call){ NULL, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY,
						       NULL });
}

/* Of linux/mount.h, which not every libc lets stand beside sys/mount.h; the same number everywhere. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#define MOUNT_SETATTR 442
#define FROM_AND_TO_DESCRIPTOR 0x44 /* MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH */
#define READ_ONLY_NOSUID_NODEV 0x7 /* MOUNT_ATTR_RDONLY ... */

int mount_point_bind_file(int file, int root, const char *path)
{
	const struct {
		uint64_t set, clear, propagation, users;
	} attributes = { .set = READ_ONLY_NOSUID_NODEV };
	const struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	OWNED_FD place = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	OWNED_FD mount = place < 0 ? -1 :
				     (int)syscall(SYS_open_tree, file, "",
						  OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH);

	if (mount < 0 ||
	    syscall(MOUNT_SETATTR, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0)
		return -1;
	return (int)syscall(SYS_move_mount, mount, "", place, "", FROM_AND_TO_DESCRIPTOR);
}

void mount_point_unmount(const struct identity *identity, const char *target)
{
	const char *name = strrchr(target, '/') + 1;
	char parent[PATH_MAX];
	int error = errno;

	if (!identity->caller.setuid) {
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
		errno = error;
		return;
	}
	snprintf(parent, sizeof parent, "%.*s", (int)(name - target), target);
	OWNED_FD dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0 && fchdir(dir) == 0) {
		privileges_raise(&identity->caller);
		umount2(name, MNT_DETACH | UMOUNT_NOFOLLOW);
		privileges_lower(&identity->caller);
	}
	errno = error;
}
