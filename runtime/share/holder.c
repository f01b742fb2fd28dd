#include "share/holder.h"

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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "process/sandbox.h"
#include "start/start.h"
#include "share/rendezvous.h"

/* Its only descriptors, besides those of runs. */
enum {
	LISTENER,
	LOCK,
	IMAGE,
	SERVER,
	USERS,
	FIRST_RUN,
	READY, /* until it listens */
	DESCRIPTORS
};

/* Of linux/mount.h, which not every libc lets stand beside sys/mount.h. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* Runs that are waited for; with more the mount is only kept shorter. */
#define RUNS_MAX 256

/* Those of one start that is heard: its socket, its process, its copy of the mount. */
#define FOR_START 3

/* For the keeper to be there; it takes microseconds. */
#define READY_MS 1000

/* After a start could not be heard: there is no descriptor to be had in the whole system. */
#define PAUSE_MS 100

enum {
	AT_LISTENER,
	AT_SERVER,
	AT_RUNS
};

struct keeper {
	uid_t uid; /* of the starts, in this user namespace */
	unsigned linger; /* seconds */
	char strategy;
	int gifts; /* without a user namespace one less */
	const unsigned char *mark;
	struct stat image;
	time_t end; /* of the linger, by the monotonic clock */
	nfds_t count;
	nfds_t most;
	/* The listener, the server; then the processes of runs. */
	struct pollfd polled[AT_RUNS + RUNS_MAX];
};

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

static void add_run(struct keeper *keeper, int process)
{
	if (process < 0)
		return;
	if (keeper->count >= keeper->most)
		close(process);
	else
		keeper->polled[keeper->count++] =
			(struct pollfd){ .fd = process, .events = POLLIN };
}

/*
 * Gives the mount to a start that has shown who it is, and waits for nobody: a start says nothing.
 * Whatever is wrong with it, it goes its own way when the socket closes.
 */
static void give(struct keeper *keeper, int socket, const void *name)
{
	int gifts[GIFTS] = { -1, USERS };
	pid_t pid = proof_peer(socket, keeper->uid);
	/* Before the lock is looked at, so that it is the process that holds it. */
	OWNED_FD process = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct stat image;

	if (!proof_given(LOCK, PROOF_START, name, pid))
		return;
	/* What the kernel has cached may not be what is in the file any more. */
	if (!share_file_state(IMAGE, &image) || memcmp(&image, &keeper->image, sizeof image) != 0)
		_exit(0);
	gifts[GIFT_MOUNT] = (int)syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | O_CLOEXEC);
	int result = send_descriptors(socket, &keeper->strategy, 1, gifts, keeper->gifts);
	close(gifts[GIFT_MOUNT]);
	linger(keeper);
	if (result == 0)
		add_run(keeper, steal_fd(&process));
}

static void hear(struct keeper *keeper)
{
	struct sockaddr_un name;
	socklen_t size = sizeof name;
	OWNED_FD socket =
		(int)syscall(SYS_accept4, LISTENER, &name, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket < 0)
		poll(NULL, 0, PAUSE_MS);
	else if (size == PROOF_SOCKET)
		give(keeper, socket, name.sun_path + 1);
}

/* The runs that have ended. */
static void forget(struct keeper *keeper)
{
	nfds_t count = keeper->count;

	keeper->count = AT_RUNS;
	for (nfds_t i = AT_RUNS; i < count; i++) {
		struct pollfd run = keeper->polled[i];
		if (run.revents)
			close(run.fd);
		else
			keeper->polled[keeper->count++] = run;
	}
	if (keeper->count == AT_RUNS && count > AT_RUNS)
		linger(keeper);
}

static _Noreturn void keep(struct keeper *keeper)
{
	struct pollfd *polled = keeper->polled;

	for (;;) {
		bool runs = keeper->count > AT_RUNS;
		time_t left = keeper->end - seconds();
		if (!runs && left <= 0)
			_exit(0);
		int n = poll(polled, keeper->count, runs ? -1 : (int)left * 1000);
		if (n < 0 && errno != EINTR)
			_exit(0);
		if (n <= 0)
			continue;
		/* A server that was killed has left a mount that answers nothing. While apps try to
		 * use it, there is one to tell why. */
		if (polled[AT_SERVER].revents) {
			if (!runs)
				_exit(0);
			polled[AT_SERVER].fd = -1;
			keeper->strategy = SHARE_LOST;
			keeper->linger = 0;
		}
		forget(keeper);
		if (polled[AT_LISTENER].revents)
			hear(keeper);
	}
}

/* Leaves every mount but the one at `target`, which becomes its root. */
static bool leave_all_but(const char *target)
{
	return unshare(CLONE_NEWNS) == 0 && chdir(target) == 0 &&
	       syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
	       chdir("/") == 0;
}

/* Moves them to where they are expected, and closes every other one. There may be few to be had. */
static bool arrange(int *descriptors)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		/* Another one of them that is there. */
		for (int j = i + 1; j < DESCRIPTORS; j++)
			if (descriptors[j] == i) {
				descriptors[j] = dup(i);
				if (descriptors[j] < 0)
					return false;
			}
		if (descriptors[i] < 0)
			close(i);
		else if (dup2(descriptors[i], i) < 0)
			return false;
	}
	close_from(DESCRIPTORS);
	return true;
}

/* From here on who connects is told that it is this process that listens. */
static bool listen_as_keeper(const struct keeper *keeper)
{
	bool listens = proof_give(LOCK, PROOF_KEEPER, keeper->mark) &&
		       listen(LISTENER, KEEPER_BACKLOG) == 0;

	close(READY);
	return listens;
}

/* What it is given. */
struct estate {
	struct keeper *keeper;
	const char *target;
	int *descriptors;
};

static int keeper_main(void *argument)
{
	const struct estate *estate = argument;
	struct keeper *keeper = estate->keeper;
	const char *target = estate->target;
	int *descriptors = estate->descriptors;

	descriptors[USERS] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (descriptors[USERS] < 0 || !arrange(descriptors) || !listen_as_keeper(keeper))
		_exit(0);
	prctl(PR_SET_NAME, "fuselage-keeper", 0, 0, 0);
	setsid();
	inherited_reset_signals(); /* any of them ends it */
	if (!leave_all_but(target) || !share_file_state(IMAGE, &keeper->image))
		_exit(0);
	unsigned most = cage_keeper(DESCRIPTORS + FOR_START + RUNS_MAX);
	keeper->most =
		AT_RUNS + (most > DESCRIPTORS + FOR_START ? most - DESCRIPTORS - FOR_START : 0);
	keep(keeper);
}

void keeper_start(struct start *start, const struct archive *archive, const char *target,
		  int server)
{
	struct share *share = &start->share;
	struct keeper keeper = {
		.uid = start->uid,
		.linger = share->linger,
		.mark = share->address.mark,
		.strategy = *start->strategy,
		.gifts = start->kind == NAMESPACE_USER ? GIFTS : GIFTS - 1,
		.count = AT_RUNS,
		.most = AT_RUNS + 1,
		.polled = { { .fd = LISTENER, .events = POLLIN },
			    { .fd = server < 0 ? -1 : SERVER } },
	};
	int descriptors[DESCRIPTORS] = {
		[LISTENER] = share->listener,
		[LOCK] = share->lock,
		[IMAGE] = archive->fd,
		[SERVER] = server,
		[USERS] = -1,
	};
	OWNED_FD self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int ready[2] = { -1, -1 };

	if (pipe2(ready, O_CLOEXEC) < 0)
		ready[0] = ready[1] = -1;
	OWNED_FD told = ready[0], tells = ready[1];
	descriptors[READY] = tells;
	descriptors[FIRST_RUN] = self;
	add_run(&keeper, self < 0 ? -1 : FIRST_RUN);
	linger(&keeper);
	child_leave(keeper_main, &(struct estate){ &keeper, target, descriptors });
	/* Until it listens: a later start may come as soon as this one has ended, and would find
	 * nobody who can show that it is the keeper. */
	close(steal_fd(&tells));
	if (told >= 0)
		poll(&(struct pollfd){ .fd = told, .events = POLLIN }, 1, READY_MS);
	share_close(share);
}
