#include "warm/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "fuse/cage.h"
#include "start.h"
#include "warm/key.h"

/* Its only descriptors, besides those of runs. */
enum {
	LISTENER,
	HOME,
	IMAGE,
	SERVER,
	USERS,
	FIRST_RUN,
	DESCRIPTORS
};

/* Of linux/mount.h, which not every libc lets stand beside sys/mount.h. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* Starts that are heard, and runs that are waited for; with more the mount is only kept shorter. */
#define PEERS_MAX 256

enum {
	AT_LISTENER,
	AT_SERVER,
	FIRST_PEER
};

struct keeper {
	uid_t uid; /* of the starts, in this user namespace */
	unsigned linger; /* seconds */
	char strategy;
	int gifts; /* without a user namespace one less */
	struct stat image;
	time_t end; /* of the linger, by the monotonic clock */
	unsigned runs;
	nfds_t count;
	/* The listener, the server; then sockets of starts, and processes of runs. */
	struct pollfd polled[FIRST_PEER + PEERS_MAX];
};

/* What is waited for of it. A process tells its end without being asked for anything else. */
#define OF_START (POLLIN | POLLRDHUP)
#define OF_RUN POLLIN

const char *keeper_strategy(char byte)
{
	return byte == 'l' ? "loop" : byte == 'f' ? "fuse" : NULL;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* The linger starts anew with every start, and with the end of the last run. */
static void linger(struct keeper *keeper)
{
	keeper->end = seconds() + keeper->linger + 1; /* this second has begun already */
}

static void add_peer(struct keeper *keeper, int fd, short events)
{
	if (fd < 0)
		return;
	if (keeper->count == FIRST_PEER + PEERS_MAX) {
		close(fd);
		return;
	}
	keeper->runs += events == OF_RUN;
	keeper->polled[keeper->count++] = (struct pollfd){ .fd = fd, .events = events };
}

/* True for a start of the same user that shows that it can open ~/.fuselage. */
static bool is_welcome(const struct keeper *keeper, const struct ucred *peer, int socket)
{
	char byte;
	int fd = -1;
	int count = receive_descriptors(socket, &fd, 1, &byte);
	OWNED_FD shown = fd;

	return peer->uid == keeper->uid && count == 1 && share_same_directory(shown, HOME);
}

/* Gives the mount to a start. Returns a descriptor of its process, or -1. */
static int give(struct keeper *keeper, int socket)
{
	int gifts[GIFTS] = { -1, HOME, USERS };
	struct ucred peer;
	struct stat image;
	socklen_t size = sizeof peer;

	/* Whatever is wrong with it, it goes its own way when the socket closes. */
	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    !is_welcome(keeper, &peer, socket))
		return -1;
	/* What the kernel has cached may not be what is in the file any more. */
	if (!share_file_state(IMAGE, &image) || memcmp(&image, &keeper->image, sizeof image) != 0)
		_exit(0);
	gifts[GIFT_MOUNT] = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | O_CLOEXEC);
	int result = send_descriptors(socket, &keeper->strategy, 1, gifts, keeper->gifts);
	close(gifts[GIFT_MOUNT]);
	linger(keeper);
	return result < 0 ? -1 : (int)syscall(SYS_pidfd_open, peer.pid, 0);
}

/* Hears the starts that have spoken and forgets the runs that have ended. */
static void attend(struct keeper *keeper)
{
	nfds_t count = keeper->count;

	keeper->count = FIRST_PEER;
	for (nfds_t i = FIRST_PEER; i < count; i++) {
		struct pollfd peer = keeper->polled[i];
		if (!peer.revents) {
			keeper->polled[keeper->count++] = peer;
			continue;
		}
		if (peer.events == OF_START)
			add_peer(keeper, give(keeper, peer.fd), OF_RUN);
		else if (--keeper->runs == 0)
			linger(keeper);
		close(peer.fd);
	}
}

static _Noreturn void keep(struct keeper *keeper)
{
	struct pollfd *polled = keeper->polled;

	for (;;) {
		time_t left = keeper->end - seconds();
		if (!keeper->runs && left <= 0)
			_exit(0);
		int n = poll(polled, keeper->count, keeper->runs ? -1 : (int)left * 1000);
		if (n < 0 && errno != EINTR)
			_exit(0);
		/* A server that was killed has left a mount that answers nothing. While apps try to
		 * use it, there is one to tell why. */
		if (n > 0 && polled[AT_SERVER].revents) {
			if (!keeper->runs)
				_exit(0);
			polled[AT_SERVER].fd = -1;
			keeper->strategy = SHARE_LOST;
			keeper->linger = 0;
		}
		if (n <= 0)
			continue;
		attend(keeper);
		if (polled[AT_LISTENER].revents)
			add_peer(keeper,
				 (int)syscall(SYS_accept4, LISTENER, NULL, NULL,
					      SOCK_CLOEXEC | SOCK_NONBLOCK),
				 OF_START);
	}
}

/* Leaves every mount but the one at `target`, which becomes its root. */
static bool leave_all_but(const char *target)
{
	return unshare(CLONE_NEWNS) == 0 && chdir(target) == 0 &&
	       syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
	       chdir("/") == 0;
}

/* Moves them to where they are expected, and closes every other one. */
static void arrange(const int *descriptors)
{
	int kept[DESCRIPTORS];

	for (int i = 0; i < DESCRIPTORS; i++)
		kept[i] = descriptors[i] < 0 ? -1 : fcntl(descriptors[i], F_DUPFD, DESCRIPTORS);
	for (int i = 0; i < DESCRIPTORS; i++)
		if (kept[i] < 0 || dup2(kept[i], i) < 0)
			close(i);
	close_from(DESCRIPTORS);
}

static _Noreturn void keeper_main(struct keeper *keeper, const char *target, int *descriptors)
{
	prctl(PR_SET_NAME, "fuselage-keeper", 0, 0, 0);
	setsid();
	if (keeper->gifts == GIFTS)
		descriptors[USERS] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	arrange(descriptors);
	if (!leave_all_but(target) || !share_file_state(IMAGE, &keeper->image))
		_exit(0);
	cage_keeper();
	keep(keeper);
}

void keeper_start(struct start *start, const struct archive *archive, const char *target,
		  int server)
{
	struct share *share = &start->share;
	struct keeper keeper = {
		.uid = start->uid,
		.linger = share->linger,
		.strategy = *start->strategy,
		.gifts = start->kind == NAMESPACE_USER ? GIFTS : GIFTS - 1,
		.count = FIRST_PEER,
		.polled = { { .fd = LISTENER, .events = POLLIN },
			    { .fd = server < 0 ? -1 : SERVER } },
	};
	int descriptors[DESCRIPTORS] = {
		[LISTENER] = share->listener,
		[HOME] = share->home,
		[IMAGE] = archive->fd,
		[SERVER] = server,
		[USERS] = -1,
	};
	OWNED_FD self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int status;

	descriptors[FIRST_RUN] = self;
	add_peer(&keeper, self < 0 ? -1 : FIRST_RUN, OF_RUN);
	linger(&keeper);
	/* Twice, as the FUSE server: nobody's child. */
	pid_t child = vfork();
	if (child == 0) {
		if (fork() == 0)
			keeper_main(&keeper, target, descriptors);
		_exit(0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	share_close(share);
}
