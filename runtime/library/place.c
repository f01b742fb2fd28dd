/* Where a detached mount goes. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "library/fuselage-mount.h"

#define FROM_EMPTY_PATH 4 /* MOVE_MOUNT_F_EMPTY_PATH */
#define GET_USER_NAMESPACE _IO(0xb7, 1) /* NS_GET_USERNS */

int fuselage_mount_attach(int mount, int dirfd, const char *dir)
{
	return (int)syscall(SYS_move_mount, mount, "", dirfd, dir, FROM_EMPTY_PATH);
}

struct place {
	int mount;
	int namespace;
	const char *dir;
};

/* As whoever owns it, where this process as it is may not. A pidfd leads to both at once. */
static int enter(int namespace)
{
	if (setns(namespace, CLONE_NEWNS) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	if (setns(namespace, CLONE_NEWUSER | CLONE_NEWNS) == 0)
		return 0;
	int user = ioctl(namespace, GET_USER_NAMESPACE);
	if (user < 0 || setns(user, CLONE_NEWUSER) < 0) {
		errno = EPERM;
		return -1;
	}
	return setns(namespace, CLONE_NEWNS);
}

static int attach_there(void *argument)
{
	const struct place *place = argument;

	if (enter(place->namespace) < 0 ||
	    fuselage_mount_attach(place->mount, AT_FDCWD, place->dir) < 0)
		return errno;
	return 0;
}

int fuselage_mount_attach_in(int mount, int namespace_fd, const char *dir)
{
	struct place place = { mount, namespace_fd, dir };

	if (*dir != '/') {
		errno = EINVAL;
		return -1;
	}
	/* A process with threads cannot change its namespace, and nobody wants it to. */
	int status = child_run(attach_there, &place);
	if (status <= 0)
		return status;
	errno = status;
	return -1;
}
