#include "mount/auto_unmount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "fuse/fusermount.h"
#include "generated/names.h"

/* Its only descriptors. */
enum {
	SERVER, /* at its end when the server has ended */
	WAITER, /* at its end when the process in the foreground has */
	DESCRIPTORS
};

/* On the second: the mount was taken away already. */
#define DISMISSED 'd'

struct watch {
	const char *target;
	int server;
	int waiter;
	long mount; /* the kernel's number of it */
};

/* O_PATH: neither asks the file system nor keeps its server busy. */
static int open_target(const char *target)
{
	return open(target, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The number of the mount that `fd` is on, or -1. */
static long mount_number(int fd)
{
	char path[64], text[512];
	static const char key[] = "mnt_id:";

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	OWNED_FD info = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	const char *found = strstr(text, key);
	return found ? strtol(found + strlen(key), NULL, 10) : -1;
}

/*
 * Whether what is at the target now is what was mounted there. Numbers are given again as soon as they are
 * free, so it has to be dead as well, or the kernel's squashfs of a process that was killed: a mount that
 * somebody else has put there meanwhile is neither. Asked for by statfs, which no cache answers.
 */
static bool is_ours(const struct watch *watch, int fd, bool dead)
{
	struct statfs fs;

	if (mount_number(fd) != watch->mount)
		return false;
	if (fstatfs(fd, &fs) < 0)
		return errno == ENOTCONN || errno == ECONNABORTED;
	return !dead && (fs.f_type == SQUASHFS_MAGIC || fs.f_type == FUSE_SUPER_MAGIC);
}

static void take_away(const struct watch *watch, bool dead)
{
	char message[FUSERMOUNT_MESSAGE_MAX], link[64];
	OWNED_FD fd = open_target(watch->target);

	if (fd < 0 || !is_ours(watch, fd, dead))
		return;
	/* By the descriptor: the path may lead elsewhere by now. A user's helper knows paths alone. */
	descriptor_link(link, sizeof link, fd, NULL);
	if (umount2(link, MNT_DETACH) == 0)
		return;
	close(steal_fd(&fd));
	(void)fusermount_unmount(watch->target, true, message);
}

/* Returns true: the server is dead; false: who waited for the mount is. */
static bool await_death(const struct watch *watch)
{
	struct pollfd polled[] = { { .fd = watch->server < 0 ? -1 : SERVER, .events = POLLIN },
				   { .fd = watch->waiter < 0 ? -1 : WAITER, .events = POLLIN } };
	char word = 0;

	while (poll(polled, 2, -1) < 0 || !(polled[0].revents | polled[1].revents))
		if (errno != EINTR)
			_exit(1);
	if (!polled[1].revents)
		return true;
	if (recv(WAITER, &word, 1, MSG_DONTWAIT) == 1 && word == DISMISSED)
		_exit(0);
	return polled[0].revents != 0;
}

static int watch_main(void *argument)
{
	const struct watch *watch = argument;

	prctl(PR_SET_NAME, "fuselage-umount", 0, 0, 0);
	inherited_leave();
	if (chdir("/") < 0)
		return 1;
	/* In place of one that there is none of: whoever reads what the command prints waits for its end. */
	OWNED_FD nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* None of them has one of these numbers (inherited.h). */
	dup2(watch->server < 0 ? nothing : watch->server, SERVER);
	dup2(watch->waiter < 0 ? nothing : watch->waiter, WAITER);
	close_from(DESCRIPTORS);
	(void)steal_fd(&nothing);
	bool dead = await_death(watch);
	/* The device is closed a moment after the socket; until then a question waits for its end. */
	take_away(watch, dead);
	return 0;
}

int auto_unmount_start(const char *target, int server, int *waiter, struct failure *failure)
{
	struct watch watch = { target, server, -1, -1 };
	int sockets[2] = { -1, -1 };

	if (waiter && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "socket of auto_unmount");
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	OWNED_FD fd = open_target(target);
	watch.waiter = theirs;
	watch.mount = fd < 0 ? -1 : mount_number(fd);
	if (watch.mount < 0 || child_leave(watch_main, &watch) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "%.300s: process of auto_unmount", target);
	if (waiter)
		*waiter = steal_fd(&ours);
	return 0;
}

void auto_unmount_dismiss(int *waiter)
{
	static const char word = DISMISSED;

	if (*waiter >= 0) {
		(void)send_message(*waiter, &word, 1, -1);
		close(steal_fd(waiter));
	}
}
