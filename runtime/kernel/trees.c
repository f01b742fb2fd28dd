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

int tree_read_only_all(void)
{
	return set(AT_FDCWD, "/", AT_RECURSIVE, MOUNT_ATTR_RDONLY);
}

int tree_cover(int tree, int place)
{
	return (int)syscall(SYS_move_mount, tree, "", place, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int tree_place(const char *path)
{
	/* Musl's open(2) sets close-on-exec a second time. */
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int tree_open_at(int place)
{
	return (int)syscall(SYS_open_tree, place, "",
			    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_EMPTY_PATH);
}

int tree_pin(const char *path, bool read_only)
{
	OWNED_FD place = tree_place(path);
	OWNED_FD tree = place < 0 ? -1 : tree_open_at(place);

	return tree < 0 || (read_only && tree_read_only(tree) < 0) ? -1 : tree_cover(tree, place);
}

int tree_move(int tree, const char *path)
{
	return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
}

int tree_system(const char *type)
{
	OWNED_FD fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

int tree_proc(void)
{
	return tree_system("proc");
}
