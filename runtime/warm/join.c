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

#define BACKLOG 4096

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

static int receive_gifts(int socket, int *gifts, char *word)
{
	struct pollfd answer = { .fd = socket, .events = POLLIN };

	return poll(&answer, 1, PATIENCE_MS) == 1 ?
		       receive_descriptors(socket, gifts, GIFTS, word) :
		       -1;
}

/* What the keeper gives, checked. Returns false for what a keeper would not send. */
static bool take_gifts(struct start *start, int socket)
{
	int gifts[GIFTS] = { -1, -1, -1 };
	char strategy = 0;
	int count = receive_gifts(socket, gifts, &strategy);
	bool user = start->kind == NAMESPACE_USER;
	start->strategy = keeper_strategy(strategy);
	/* To change the namespace is the last thing that may fail: there is no way back. */
	bool taken = count == (user ? GIFTS : GIFTS - 1) && start->strategy &&
		     share_same_directory(gifts[GIFT_HOME], start->share.home) &&
		     (!user || setns(gifts[GIFT_USERS], CLONE_NEWUSER) == 0);
	if (taken)
		start->share.mount = steal_fd(&gifts[GIFT_MOUNT]);
	start->share.joined = taken;
	for (int i = 0; i < GIFTS; i++)
		if (gifts[i] >= 0)
			close(gifts[i]);
	return taken;
}

enum meeting {
	NOBODY, /* at the address */
	SOMEBODY, /* whom this start has nothing in common with */
	JOINED
};

/* True when there is somebody of the same user, who now knows the same of this start. */
static bool greet(struct start *start, int socket, const struct share_address *address)
{
	return connect(socket, (const struct sockaddr *)&address->socket, address->size) == 0 &&
	       is_same_user(socket, start->caller.uid) &&
	       send_descriptor(socket, start->share.home) == 0;
}

/* A socket that is not used has no other effect than its end. */
static enum meeting join(struct start *start, int socket, const struct share_address *address)
{
	if (!greet(start, socket, address))
		return errno == ECONNREFUSED ? NOBODY : SOMEBODY;
	return take_gifts(start, socket) ? JOINED : SOMEBODY;
}

/* A mount of the host, or one that is made in seconds, is nobody's to share. */
static bool is_wanted(const struct start *start)
{
	const char *type = start->invocation.mount_type;

	return start->share.linger > 0 && !start->caller.setuid &&
	       strcmp(type, "fusermount") != 0 && strcmp(type, "extract") != 0;
}

static int new_socket(void)
{
	return (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool show_home(struct start *start)
{
	start->share.home = open(start->home_path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return start->share.home >= 0;
}

/* Returns true when there is nothing more to be tried. */
static bool meet(struct start *start, const struct share_address *address)
{
	OWNED_FD socket = new_socket();

	if (socket < 0 || join(start, socket, address) != NOBODY || !may_leave_keeper())
		return true;
	/* The others wait for the mount of the one that is here first. */
	if (bind(socket, (const struct sockaddr *)&address->socket, address->size) < 0)
		return errno != EADDRINUSE;
	if (listen(socket, BACKLOG) == 0)
		start->share.listener = steal_fd(&socket);
	return true;
}

void share_find(struct start *start, const struct archive *archive)
{
	struct share_address address;

	if (!is_wanted(start))
		return;
	/* Again for one that was as fast as this one, and listens in a moment. */
	if (show_home(start) && share_address(start, archive, &address))
		for (int i = 0; i < 3 && !meet(start, &address); i++)
			sched_yield();
}

char share_ask(struct start *start, const struct archive *archive)
{
	struct share_address address;
	OWNED_FD socket = new_socket();
	int gifts[GIFTS];
	char word = 0;

	/* What it gives ends with this process. */
	if (show_home(start) && share_address(start, archive, &address) &&
	    greet(start, socket, &address))
		receive_gifts(socket, gifts, &word);
	return word;
}

int share_attach(struct start *start, const char *target)
{
	OWNED_FD place = open_mount_point(start, target);
	OWNED_FD mount = steal_fd(&start->share.mount);

	if (place < 0)
		return -1;
	return (int)syscall(SYS_move_mount, mount, "", place, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
