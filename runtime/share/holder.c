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
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "cache/file_state.h"
#include "process/sandbox.h"
#include "archive/archive.h"
#include "kernel/identity.h"
#include "share/share.h"
#include "share/rendezvous.h"

/* Its only descriptors, besides those of runs. */
enum {
	LISTENER,
	LOCK,
	IMAGE,
	SERVER,
	USERS,
	FIRST_RUN,
	FIRST_END, /* the first run's mount namespace */
	READY, /* until it listens */
	ROOT, /* of a mount on the host; before the next, so that it is closed before */
	JANITOR, /* who takes that mount away when nobody has this any more */
	DESCRIPTORS
};

/* Of linux/mount.h, which not every libc lets stand beside sys/mount.h. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* Runs that are waited for; with more the mount is only kept shorter. */
#define RUNS_MAX 256

/* Those of a run. */
#define FOR_RUN 2

/* Those of one start that is heard: its socket, its process, its copy of the mount. */
#define FOR_START 3

/* For the holder to be there; it takes microseconds. */
#define READY_MS 1000

/* After a start could not be heard: there is no descriptor to be had in the whole system. */
#define PAUSE_MS 100

enum {
	AT_LISTENER,
	AT_SERVER,
	AT_RUNS
};

struct holder {
	uid_t uid; /* of the starts, in this user namespace */
	unsigned linger; /* seconds */
	char strategy;
	bool on_host;
	int handed; /* without a user namespace one less */
	bool machine; /* process 1, as it is seen from here, is that of the machine */
	const unsigned char *mark;
	struct stat image;
	double end; /* of the linger, by clock_milliseconds */
	nfds_t count;
	nfds_t most;
	/* The listener, the server; then the processes of runs. */
	struct pollfd polled[AT_RUNS + RUNS_MAX];
	int ends[AT_RUNS + RUNS_MAX]; /* each has the namespace of a run, to be closed with it */
};

/* The last letter, which no two of them share. */
static char letter(const char *strategy)
{
	return strategy[strlen(strategy) - 1];
}

const char *holder_strategy(char byte)
{
#define IS(name, shared, host)               \
	if (shared && byte == letter(#name)) \
		return #name;
	FUSELAGE_STRATEGIES(IS)
#undef IS
	return NULL;
}

/* The linger starts anew with every start, and with the end of the last run. */
static void linger(struct holder *holder)
{
	holder->end = clock_milliseconds() + holder->linger * 1000.0;
}

static void add_run(struct holder *holder, int process, int end)
{
	if (process >= 0 && holder->count < holder->most) {
		holder->ends[holder->count] = end;
		holder->polled[holder->count++] =
			(struct pollfd){ .fd = process, .events = POLLIN };
		return;
	}
	if (process >= 0)
		close(process);
	close(end);
}

/*
 * Gives the mount to a start that has shown who it is, and waits for nobody: a start says nothing.
 * Whatever is wrong with it, it goes its own way when the socket closes.
 */
static void give(struct holder *holder, int socket_of_start, const void *name)
{
	OWNED_FD socket = socket_of_start;
	int handed[HANDED_COUNT] = { -1, USERS };
	pid_t pid = proof_peer(socket, holder->uid);
	/* Before the lock is looked at, so that it is the process that holds it. */
	OWNED_FD process = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (!proof_given(LOCK, PROOF_START, name, pid))
		return;
	/* What the kernel has cached may not be what is in the file any more. */
	if (!file_state_is(IMAGE, &holder->image))
		_exit(0);
	OWNED_FD copy = holder->on_host ? -1 :
					  (int)syscall(SYS_open_tree, AT_FDCWD, "/",
						       OPEN_TREE_CLONE | O_CLOEXEC);
	handed[HANDED_MOUNT] = holder->on_host ? ROOT : copy;
	int result = send_descriptors(socket, &holder->strategy, 1, handed, holder->handed);
	linger(holder);
	/* The start puts its namespace into the socket, where nobody takes it out. */
	if (result == 0)
		add_run(holder, steal_fd(&process), steal_fd(&socket));
}

static void hear(struct holder *holder)
{
	struct sockaddr_un name;
	socklen_t size = sizeof name;
	int socket =
		(int)syscall(SYS_accept4, LISTENER, &name, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket < 0)
		poll(NULL, 0, PAUSE_MS);
	else if (size == PROOF_SOCKET)
		give(holder, socket, name.sun_path + 1);
	else
		close(socket);
}

/* The runs that have ended. */
static void forget(struct holder *holder)
{
	nfds_t count = holder->count;

	holder->count = AT_RUNS;
	for (nfds_t i = AT_RUNS; i < count; i++) {
		struct pollfd run = holder->polled[i];
		if (run.revents) {
			close(run.fd);
			close(holder->ends[i]);
			continue;
		}
		holder->ends[holder->count] = holder->ends[i];
		holder->polled[holder->count++] = run;
	}
	if (holder->count > AT_RUNS || count == AT_RUNS)
		return;
	/* Any other parent may wait for it. */
	if (!holder->machine || getppid() != 1)
		_exit(0);
	linger(holder);
}

static _Noreturn void keep(struct holder *holder)
{
	struct pollfd *polled = holder->polled;

	for (;;) {
		bool runs = holder->count > AT_RUNS;
		double left = holder->end - clock_milliseconds();
		if (!runs && left <= 0)
			_exit(0);
		int n = poll(polled, holder->count, runs ? -1 : (int)left + 1);
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
			holder->strategy = SHARE_LOST;
			holder->linger = 0;
		}
		forget(holder);
		if (polled[AT_LISTENER].revents)
			hear(holder);
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
static bool listen_as_holder(const struct holder *holder)
{
	bool listens = proof_give(LOCK, PROOF_HOLDER, holder->mark) &&
		       listen(LISTENER, HOLDER_BACKLOG) == 0;

	close(READY);
	return listens;
}

/* What it is given. */
struct holding {
	struct holder *holder;
	const char *target;
	int *descriptors;
};

static int holder_main(void *argument)
{
	const struct holding *holding = argument;
	struct holder *holder = holding->holder;
	const char *target = holding->target;
	int *descriptors = holding->descriptors;

	holder->machine = child_is_of_machine();
	descriptors[USERS] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (!holder->on_host)
		descriptors[FIRST_END] = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (descriptors[FIRST_END] < 0)
		holder->ends[AT_RUNS] = -1;
	if (holder->on_host)
		descriptors[ROOT] = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (descriptors[holder->on_host ? ROOT : USERS] < 0 || !arrange(descriptors) ||
	    !listen_as_holder(holder))
		_exit(0);
	prctl(PR_SET_NAME, "fuselage-holder", 0, 0, 0);
	setsid();
	inherited_reset_signals(); /* any of them ends it */
	if (!(holder->on_host ? chdir("/") == 0 : leave_all_but(target)) ||
	    !file_state_read(IMAGE, &holder->image))
		_exit(0);
	unsigned most = sandbox_holder(DESCRIPTORS + FOR_START + FOR_RUN * RUNS_MAX);
	holder->most =
		AT_RUNS +
		(most > DESCRIPTORS + FOR_START ? (most - DESCRIPTORS - FOR_START) / FOR_RUN : 0);
	keep(holder);
}

void holder_start(struct share *share, const struct identity *identity,
		  const struct archive *archive, const struct held *held)
{
	struct holder holder = {
		.uid = identity->uid,
		.linger = share->linger,
		.mark = share->address.mark,
		.strategy = letter(held->strategy),
		.on_host = identity->kind == NAMESPACE_NONE,
		.handed = identity->kind == NAMESPACE_USER ? HANDED_COUNT : HANDED_COUNT - 1,
		.count = AT_RUNS,
		.most = AT_RUNS + 1,
		.polled = { { .fd = LISTENER, .events = POLLIN },
			    { .fd = held->server < 0 ? -1 : SERVER } },
	};
	int descriptors[DESCRIPTORS] = {
		[LISTENER] = share->listener, [LOCK] = share->lock, [IMAGE] = archive->fd,
		[SERVER] = held->server,      [USERS] = -1,	    [ROOT] = -1,
		[JANITOR] = held->janitor,    [FIRST_END] = -1,
	};
	OWNED_FD self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int ready[2] = { -1, -1 };

	if (pipe2(ready, O_CLOEXEC) < 0)
		ready[0] = ready[1] = -1;
	OWNED_FD told = ready[0], tells = ready[1];
	descriptors[READY] = tells;
	descriptors[FIRST_RUN] = self;
	if (self >= 0)
		add_run(&holder, FIRST_RUN, FIRST_END);
	linger(&holder);
	child_leave(holder_main, &(struct holding){ &holder, held->target, descriptors });
	/* Until it listens: a later start may come as soon as this one has ended, and would find
	 * nobody who can show that it is the holder. */
	close(steal_fd(&tells));
	if (told >= 0)
		poll(&(struct pollfd){ .fd = told, .events = POLLIN }, 1, READY_MS);
	share_close(share);
}
