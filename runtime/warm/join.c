/* A start that looks for a mount to share. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "pinned.h"
#include "start.h"
#include "warm/key.h"
#include "warm/keeper.h"

/* For a first start that is still at work; one that is stopped must not stop the others. */
#define PATIENCE_MS 1000

#define LINGER_DEFAULT 5
#define LINGER_MAX 86400

void share_reset(struct share *share)
{
	share->home = share->listener = share->mount = -1;
	share->joined = false;
}

void share_close(struct share *share)
{
	if (share->home >= 0)
		close(share->home);
	if (share->listener >= 0)
		close(share->listener);
	if (share->mount >= 0)
		close(share->mount);
	share->home = share->listener = share->mount = -1;
}

int share_parse(struct share *share, const char *text, struct failure *failure)
{
	char *end;

	share_reset(share);
	share->linger = LINGER_DEFAULT;
	if (!text || !*text)
		return 0;
	unsigned long seconds = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || seconds > LINGER_MAX)
		return fail(failure, FUSELAGE_E_LINGER,
			    "FUSELAGE_LINGER=%.80s: expected seconds from 0 to %d", text,
			    LINGER_MAX);
	share->linger = (unsigned)seconds;
	return 0;
}

/*
 * A service manager waits for what a service leaves behind, and so does whoever waits for the end
 * of a container: what their first process starts is theirs.
 */
static bool may_leave_keeper(void)
{
	const char *service = getenv("INVOCATION_ID");

	return (!service || !*service) && getpid() != 1 && getppid() > 1;
}

static bool is_same_user(int socket, uid_t uid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == uid;
}

static int new_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* What the keeper gives, checked. Returns false for what a keeper would not send. */
static bool take_gifts(struct start *start, int socket, const struct stat *home)
{
	struct pollfd answer = { .fd = socket, .events = POLLIN };
	int gifts[GIFTS] = { -1, -1, -1 };
	struct stat shown;
	char strategy;

	if (poll(&answer, 1, PATIENCE_MS) != 1)
		return false;
	int count = receive_descriptors(socket, gifts, GIFTS, &strategy);
	OWNED_FD proof = gifts[GIFT_HOME], mount = gifts[GIFT_MOUNT], users = gifts[GIFT_USERS];
	bool user = start->kind == NAMESPACE_USER;
	const char *name = keeper_strategy(strategy);
	if (count != (user ? GIFTS : GIFTS - 1) || !name || fstat(proof, &shown) < 0 ||
	    shown.st_dev != home->st_dev || shown.st_ino != home->st_ino)
		return false;
	/* The last thing that may fail: there is no way back. */
	if (user && setns(users, CLONE_NEWUSER) < 0)
		return false;
	start->share.joined = true;
	start->share.mount = steal_fd(&mount);
	start->strategy = name;
	return true;
}

/* 0: joined. Or an errno: ECONNREFUSED when nobody is there. */
static int join(struct start *start, const struct share_address *address, const struct stat *home)
{
	OWNED_FD socket = new_socket();

	if (socket < 0 ||
	    connect(socket, (const struct sockaddr *)&address->socket, address->size) < 0)
		return errno;
	if (!is_same_user(socket, start->caller.uid))
		return EPERM;
	if (send_descriptor(socket, start->share.home) < 0)
		return errno;
	return take_gifts(start, socket, home) ? 0 : EPROTO;
}

/* Makes this start the one whose mount the others wait for. */
static int listen_first(struct share *share, const struct share_address *address)
{
	OWNED_FD socket = new_socket();

	if (socket < 0 ||
	    bind(socket, (const struct sockaddr *)&address->socket, address->size) < 0 ||
	    listen(socket, 4096) < 0)
		return errno;
	share->listener = steal_fd(&socket);
	return 0;
}

/* A mount of the host, or one that is made in seconds, is nobody's to share. */
static bool is_wanted(const struct start *start)
{
	const char *type = start->invocation.mount_type;

	return start->share.linger > 0 && !start->caller.setuid &&
	       strcmp(type, "fusermount") != 0 && strcmp(type, "extract") != 0;
}

void share_find(struct start *start, const struct archive *archive)
{
	struct share *share = &start->share;
	struct share_address address;
	struct stat home;

	if (!is_wanted(start))
		return;
	share->home = open(start->home_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (share->home < 0 || fstat(share->home, &home) < 0 ||
	    !share_address(start, archive, &home, &address))
		return;
	/* The second time for a start that was as fast as this one. */
	for (int i = 0; i < 2; i++) {
		if (join(start, &address, &home) != ECONNREFUSED || !may_leave_keeper() ||
		    listen_first(share, &address) != EADDRINUSE)
			return;
	}
}

int share_attach(struct start *start, const char *target, bool fixed)
{
	OWNED_FD place = open_mount_point(start, target, fixed);
	OWNED_FD mount = steal_fd(&start->share.mount);

	if (place < 0)
		return -1;
	return (int)syscall(SYS_move_mount, mount, "", place, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
