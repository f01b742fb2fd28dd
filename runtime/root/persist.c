#include "root/persist.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "base/remove.h"
#include "kernel/namespace.h"
#include "root/paths.h"
#include "root/range.h"

#define PERSIST_LOCK "lock"

/* The kernel takes a mount away a moment after its last process has ended. */
#define TRIES 50
#define PAUSE_NS 20000000

struct watch {
	int socket, lock;
};

/* Ends with the overlay, or with a start that did not get so far. */
static int watch(void *argument)
{
	const struct watch *task = argument;
	struct inotify_event event;

	prctl(PR_SET_NAME, "fuselage-lock", 0, 0, 0);
	inherited_leave();
	if (chdir("/") < 0 || dup2(task->socket, 0) < 0 || dup2(task->lock, 1) < 0)
		return 1;
	close_from(2);
	int overlay = receive_descriptor(0);
	while (overlay >= 0 && read(overlay, &event, sizeof event) == sizeof event)
		if (event.mask & (IN_UNMOUNT | IN_IGNORED))
			break;
	return 0;
}

/* Returns 1 when the lock is ours, 0 when it went away with the directory, and -1 and errno. */
static int take_lock(struct persist *persist)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;

	persist->lock = openat(persist->directory, PERSIST_LOCK, flags, 0600);
	if (persist->lock < 0) {
		const int reason = errno;
		bool gone = reason == ENOENT && fstat(persist->directory, &st) == 0 &&
			    st.st_nlink == 0;
		errno = reason;
		return gone ? 0 : -1;
	}
	for (int i = 0; flock(persist->lock, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == TRIES)
			return -1;
		nanosleep(&pause, NULL);
	}
	/* Whoever removes the directory has it locked until then: others lock the next file of that name. */
	return fstat(persist->lock, &st) < 0 ? -1 : st.st_nlink > 0;
}

static int start_watcher(struct persist *persist)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -1;
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	struct watch task = { theirs, persist->lock };
	if (child_leave(watch, &task) < 0)
		return -1;
	persist->watcher = steal_fd(&ours);
	return 0;
}

/* Returns 1 when it was made, 0 when it is there, and -1 and errno for a link or file. */
static int make_layer(int directory, const char *name)
{
	if (mkdirat(directory, name, 0755) == 0)
		return 1;
	if (errno != EEXIST)
		return -1;
	OWNED_FD there = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return there < 0 ? -1 : 0;
}

static int make_layers(struct persist *persist)
{
	int made = make_layer(persist->directory, PERSIST_UPPER);

	persist->fresh = made > 0;
	return made < 0 ? -1 : make_layer(persist->directory, PERSIST_WORK);
}

/*
 * Whoever else can put something there chooses which programs the app is made of, and by a link where its
 * changes go. A user's own group may write (mode 0775 is usual where every user has one).
 */
static int require_own(int directory, const char *path, const struct caller *caller,
		       struct failure *failure)
{
	struct stat st;

	if (fstat(directory, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s", path);
	bool own_group = caller->uid != 0 && st.st_gid == caller->gid;
	if (st.st_uid != caller->uid)
		return fail(failure, FUSELAGE_E_ROOT_PERSIST,
			    "%.600s: belongs to user %u, who chooses what the app finds there: "
			    "expected user %u",
			    path, st.st_uid, caller->uid);
	if (st.st_mode & (own_group ? S_IWOTH : S_IWOTH | S_IWGRP))
		return fail(failure, FUSELAGE_E_ROOT_PERSIST,
			    "%.600s: others may write to it (mode %04o), and choose what the app "
			    "finds there: expected 0755 or less",
			    path, st.st_mode & 07777);
	return 0;
}

/* Returns 1 when the directory is ours, 0 when another start has removed it meanwhile, or -1. */
static int use_directory(struct persist *persist, const char *whole, const struct caller *caller,
			 struct failure *failure)
{
	struct stat st;

	if (mkdir(whole, 0700) < 0 && errno != EEXIST)
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s", whole);
	persist->directory = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A link that leads nowhere is there as well. */
	if (persist->directory < 0 && errno == ENOENT && lstat(whole, &st) < 0)
		return 0;
	if (persist->directory < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s", whole);
	if (require_own(persist->directory, whole, caller, failure) < 0)
		return -1;
	int locked = take_lock(persist);
	if (locked >= 0)
		return locked;
	return errno == EWOULDBLOCK ?
		       fail(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s: another start is using it",
			    whole) :
		       fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s/" PERSIST_LOCK, whole);
}

int persist_open(struct persist *persist, const char *path, const struct caller *caller,
		 struct failure *failure)
{
	OWNED char *whole = path_from_home(path);
	int used;

	if (!whole)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "--persist");
	while ((used = use_directory(persist, whole, caller, failure)) == 0) {
		if (persist->lock >= 0)
			close(steal_fd(&persist->lock));
		if (persist->directory >= 0)
			close(steal_fd(&persist->directory));
	}
	if (used < 0)
		return -1;
	if (make_layers(persist) < 0 || start_watcher(persist) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%.600s", whole);
	return 0;
}

int persist_layers(const struct persist *persist)
{
	char path[PATH_MAX];
	struct stat before, now;
	OWNED_FD again = descriptor_path(persist->directory, path, sizeof path) < 0 ?
				 -1 :
				 open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (again < 0 || fstat(persist->directory, &before) < 0 || fstat(again, &now) < 0)
		return -1;
	if (before.st_dev == now.st_dev && before.st_ino == now.st_ino)
		return steal_fd(&again);
	errno = ESTALE;
	return -1;
}

int persist_watch(struct persist *persist, int merged)
{
	char link[32];

	if (persist->directory < 0)
		return 0;
	OWNED_FD watched = inotify_init1(IN_CLOEXEC);
	descriptor_link(link, sizeof link, merged, NULL);
	if (watched < 0 || inotify_add_watch(watched, link, IN_DELETE_SELF) < 0 ||
	    send_descriptor(persist->watcher, watched) < 0)
		return -1;
	close(steal_fd(&persist->watcher));
	close(steal_fd(&persist->lock));
	close(steal_fd(&persist->directory));
	return 0;
}

/* Where what others own is the caller's to remove. */
static int enter_range(const struct caller *caller, struct failure *failure)
{
	struct failure none = { 0 };
	struct id_maps maps;
	struct identity identity = { .caller = *caller, .kind = NAMESPACE_USER };
	int cwd = -1;

	if (namespace_kind(caller) == NAMESPACE_PRIVILEGED)
		return 0;
	if (range_find(&maps, caller, 0, 0, &none) == 0)
		identity.maps = &maps;
	return namespace_enter(&identity, false, &cwd, failure);
}

int persist_remove(struct persist *persist, const char *path, const struct caller *caller,
		   struct failure *failure)
{
	struct stat st;

	if (enter_range(caller, failure) < 0)
		return -1;
	remove_tree(persist->directory, PERSIST_UPPER);
	remove_tree(persist->directory, PERSIST_WORK);
	if (fstatat(persist->directory, PERSIST_UPPER, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    fstatat(persist->directory, PERSIST_WORK, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(failure, FUSELAGE_E_ROOT_PERSIST,
			    "%.600s: something in it belongs to others and cannot be removed",
			    path);
	unlinkat(persist->directory, PERSIST_LOCK, 0);
	OWNED char *whole = path_from_home(path);
	if (whole)
		rmdir(whole); /* with more in it, it is more than ours */
	return 0;
}
