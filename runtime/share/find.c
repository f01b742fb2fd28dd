/* A start that looks for a mount to share. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "base/variable.h"
#include "kernel/mount_point.h"
#include "archive/archive.h"
#include "kernel/identity.h"
#include "share/share.h"
#include "share/rendezvous.h"
#include "share/holder.h"
#include "generated/names.h"

/* For a first start that is still at work; one that is stopped must not stop the others. */
#define PATIENCE_MS 1000

#define LINGER_DEFAULT 5
#define LINGER_MAX 86400

static void reset(struct share *share)
{
	share->lock = share->socket = share->listener = share->mount = -1;
	share->joined = false;
}

void share_close(struct share *share)
{
	if (share->listener >= 0)
		close(share->listener);
	if (share->mount >= 0)
		close(share->mount);
	share->listener = share->mount = -1;
}

int share_parse(struct share *share, struct failure *failure)
{
	int seconds = variable_number(ENV_FUSELAGE_LINGER, LINGER_MAX, LINGER_DEFAULT, failure);

	reset(share);
	share->linger = (unsigned)seconds;
	return seconds < 0 ? -1 : 0;
}

bool share_may_leave(void)
{
	const char *service = getenv("INVOCATION_ID");

	return (!service || !*service) && getpid() != 1 && getppid() > 1;
}

static int receive_handed(int socket, int *handed, char *word)
{
	struct pollfd answer = { .fd = socket, .events = POLLIN };

	return poll(&answer, 1, PATIENCE_MS) == 1 ?
		       receive_descriptors(socket, handed, HANDED_COUNT, word) :
		       -1;
}

/* What everything of ours is mounted with, and the kernel gives to nobody to take away. */
#define MOUNT_FLAGS (ST_RDONLY | ST_NOSUID | ST_NODEV)

static bool is_of_type(int fd, unsigned long type, unsigned long flags)
{
	struct statfs st;

	/* Asks no server but for root's mounts: this process is not in its user namespace yet. */
	return fstatfs(fd, &st) == 0 && (unsigned long)st.f_type == type &&
	       ((unsigned long)st.f_flags & flags) == flags;
}

/* It says itself that it is one of users, and that it was made by this user. */
static bool is_user_namespace(int fd, uid_t uid)
{
	uid_t owner;

	return is_of_type(fd, NSFS_MAGIC, 0) && ioctl(fd, NS_GET_OWNER_UID, &owner) == 0 &&
	       owner == uid;
}

/* There is no way back out of a namespace; one that calls the user by other names is not used. */
static bool enter(const struct identity *identity, int users)
{
	return is_user_namespace(users, identity->caller.uid) && setns(users, CLONE_NEWUSER) == 0 &&
	       geteuid() == identity->uid && getegid() == identity->gid;
}

/* What the holder gives, checked. Returns false for what a holder would not send. */
static bool take_handed(struct share *share, const struct identity *identity)
{
	int handed[HANDED_COUNT] = { -1, -1 };
	char strategy = 0;
	int count = receive_handed(share->socket, handed, &strategy);
	bool user = identity->kind == NAMESPACE_USER;
	share->strategy = holder_strategy(strategy);
	/* To change the namespace is the last thing that may fail. */
	bool taken =
		count == (user ? HANDED_COUNT : HANDED_COUNT - 1) && share->strategy &&
		is_of_type(handed[HANDED_MOUNT],
			   strcmp(share->strategy, "loop") == 0 ? SQUASHFS_MAGIC : FUSE_SUPER_MAGIC,
			   MOUNT_FLAGS) &&
		(!user || enter(identity, handed[HANDED_USERS]));
	if (taken)
		share->mount = steal_fd(&handed[HANDED_MOUNT]);
	share->joined = taken;
	for (int i = 0; i < HANDED_COUNT; i++)
		if (handed[i] >= 0)
			close(handed[i]);
	return taken;
}

enum meeting {
	NOBODY, /* at the address */
	SOMEBODY, /* whom this start has nothing in common with */
	JOINED
};

/* True when it is a holder that is there, or the start that leaves one in a moment. */
static bool reach(const struct share *share, const struct identity *identity)
{
	return connect(share->socket, (const struct sockaddr *)&share->address.socket,
		       share->address.size) == 0 &&
	       proof_given(share->lock, PROOF_HOLDER, share->address.mark,
			   proof_peer(share->socket, identity->caller.uid));
}

static enum meeting join(struct share *share, const struct identity *identity)
{
	errno = 0;
	if (!reach(share, identity))
		return errno == ECONNREFUSED ? NOBODY : SOMEBODY;
	return take_handed(share, identity) ? JOINED : SOMEBODY;
}

/* A mount of the host, or one that is made in seconds, is nobody's to share. */
static bool is_shared(const char *type)
{
#define IS_NOT(name, shared, host)               \
	if (!shared && strcmp(type, #name) == 0) \
		return false;
	FUSELAGE_STRATEGIES(IS_NOT)
#undef IS_NOT
	return true;
}

static bool is_wanted(const struct share *share, const struct identity *identity, const char *type)
{
	return share->linger > 0 && !identity->caller.setuid && is_shared(type);
}

static int new_socket(void)
{
	return (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Finds the address, and shows this start to whoever is there, before it is asked. */
static bool prepare(struct share *share, const struct identity *identity,
		    const struct share_terms *terms, const struct archive *archive)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	socklen_t size = sizeof own;

	share->lock = proof_open(terms->home, identity->caller.uid);
	if (share->lock < 0 || !share_address(share, identity, terms, archive))
		return false;
	share->socket = new_socket();
	/* By a name that the kernel chooses. */
	return bind(share->socket, (const struct sockaddr *)&own, sizeof own.sun_family) == 0 &&
	       getsockname(share->socket, (struct sockaddr *)&own, &size) == 0 &&
	       size == PROOF_SOCKET && proof_give(share->lock, PROOF_START, own.sun_path + 1);
}

/* Returns true when there is nothing more to be tried. */
static bool meet(struct share *share, const struct identity *identity)
{
	const struct share_address *address = &share->address;

	if (join(share, identity) != NOBODY || !share_may_leave())
		return true;
	OWNED_FD listener = new_socket();
	/* The others wait for the mount of the one that is here first. */
	if (bind(listener, (const struct sockaddr *)&address->socket, address->size) < 0)
		return errno != EADDRINUSE;
	if (proof_give(share->lock, PROOF_HOLDER, address->mark) &&
	    listen(listener, HOLDER_BACKLOG) == 0)
		share->listener = steal_fd(&listener);
	return true;
}

void share_find(struct share *share, const struct identity *identity,
		const struct share_terms *terms, const struct archive *archive)
{
	if (!is_wanted(share, identity, terms->mount_type) ||
	    !prepare(share, identity, terms, archive))
		return;
	/* Again for one that was as fast as this one, and listens in a moment. */
	for (int i = 0; i < 3 && !meet(share, identity); i++)
		sched_yield();
}

char share_ask(struct share *share, const struct identity *identity,
	       const struct share_terms *terms, const struct archive *archive)
{
	int handed[HANDED_COUNT];
	char word = 0;

	/* What it gives ends with this process. */
	if (prepare(share, identity, terms, archive) && reach(share, identity))
		receive_handed(share->socket, handed, &word);
	return word;
}

void share_leave_end(const struct share *share)
{
	if (!share->joined)
		return;
	OWNED_FD namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (namespace >= 0)
		(void)send_descriptor(share->socket, namespace);
}

int share_attach(struct share *share, const struct identity *identity, const char *target)
{
	OWNED_FD place = mount_point_open(identity, target);
	OWNED_FD mount = steal_fd(&share->mount);

	if (place < 0)
		return -1;
	return (int)syscall(SYS_move_mount, mount, "", place, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int share_find_path(struct share *share, char *path)
{
	OWNED_FD root = steal_fd(&share->mount);
	struct stat kept, found;

	/* Somebody may have taken it away, and the folder that it covered is there again. */
	if (descriptor_path(root, path, PATH_MAX) < 0 || fstat(root, &kept) < 0 ||
	    stat(path, &found) < 0 || found.st_dev != kept.st_dev || found.st_ino != kept.st_ino)
		return -1;
	return steal_fd(&root);
}
