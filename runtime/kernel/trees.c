#include "kernel/trees.h"

#include <fcntl.h>
#include <linux/mount.h> /* not with sys/mount.h: both define the same names */
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

int tree_open(int directory, const char *path)
{
	return (int)syscall(SYS_open_tree, directory, path,
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

int tree_open_alone(int directory, const char *path)
{
	return (int)syscall(SYS_open_tree, directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int set(int fd, const char *path, unsigned flags, uint64_t attribute)
{
	struct mount_attr attributes = { .attr_set = attribute };

	return (int)syscall(SYS_mount_setattr, fd, path, flags, &attributes, sizeof attributes);
}

int tree_read_only(int tree)
{
	return set(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY);
}

int tree_no_exec(int tree)
{
	return set(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_NOEXEC);
}

int tree_read_only_root(void)
{
	return set(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY);
}

int tree_move(int tree, const char *path)
{
	return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

int tree_proc(void)
{
	OWNED_FD fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}
