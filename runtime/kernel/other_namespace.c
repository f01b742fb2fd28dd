#include "kernel/other_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"

#define FROM_EMPTY_PATH 4 /* MOVE_MOUNT_F_EMPTY_PATH */
#define GET_USER_NAMESPACE _IO(0xb7, 1) /* NS_GET_USERNS */

/* A pidfd leads to both at once. */
static int enter(int namespace_fd)
{
	if (setns(namespace_fd, CLONE_NEWNS) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	if (setns(namespace_fd, CLONE_NEWUSER | CLONE_NEWNS) == 0)
		return 0;
	int user = ioctl(namespace_fd, GET_USER_NAMESPACE);
	if (user < 0 || setns(user, CLONE_NEWUSER) < 0) {
		errno = EPERM;
		return -1;
	}
	close(user);
	return setns(namespace_fd, CLONE_NEWNS);
}

struct place {
	int mount;
	int namespace_fd;
	const char *dir;
};

static int attach_there(void *argument)
{
	const struct place *place = argument;

	if (enter(place->namespace_fd) < 0 ||
	    syscall(SYS_move_mount, place->mount, "", AT_FDCWD, place->dir, FROM_EMPTY_PATH) < 0)
		return errno;
	return 0;
}

int other_namespace_attach(int namespace_fd, int mount, const char *dir)
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
