/* Where a detached mount goes. */
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/other_namespace.h"
#include "library/fuselage-mount.h"

#define FROM_EMPTY_PATH 4 /* MOVE_MOUNT_F_EMPTY_PATH */

int fuselage_mount_attach(int mount, int dirfd, const char *dir)
{
	return (int)syscall(SYS_move_mount, mount, "", dirfd, dir, FROM_EMPTY_PATH);
}

int fuselage_mount_attach_in(int mount, int namespace_fd, const char *dir)
{
	return other_namespace_attach(namespace_fd, mount, dir);
}
