#include "start/janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "base/remove.h"
#include "fuse/fusermount.h"
#include "start/in_use.h"
#include "generated/names.h"

/* Unmounts everything in <procdir>/static. Returns how many mounts are still there. */
static unsigned unmount_all(const char *procdir)
{
	char base[PATH_MAX + 16], path[PATH_MAX + 300];
	struct stat outer, inner;
	unsigned left = 0;
	char message[FUSERMOUNT_MESSAGE_MAX];
	DIR *dir;

	snprintf(base, sizeof base, "%s/static", procdir);
	dir = opendir(base);
	if (!dir || fstat(dirfd(dir), &outer) < 0) {
		if (dir)
			closedir(dir);
		return 0;
	}
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
		/*
		 * ENOTCONN: mounted, and the server is dead. What was extracted is behind a link, and on an
		 * overlay only directories have the device of the file system.
		 */
		bool mounted = lstat(path, &inner) == 0 ?
				       S_ISDIR(inner.st_mode) && inner.st_dev != outer.st_dev :
				       errno == ENOTCONN;
		if (mounted && fusermount_unmount(path, false, message) < 0)
			left++;
	}
	closedir(dir);
	return left;
}

/*
 * A descendant that outlives the app keeps its files: a mount in use is not taken away, nor one whose path
 * somebody was given.
 */
static void clean_up(const char *procdir)
{
	char places[PATH_MAX + 16];
	int wait = 20;

	snprintf(places, sizeof places, "%s/static/", procdir);
	for (; path_is_in_use(places) || unmount_all(procdir); wait = wait < 1000 ? wait * 2 : 1000)
		poll(NULL, 0, wait);
	remove_tree(AT_FDCWD, procdir);
}

/* Its only descriptors. */
enum {
	LOCK, /* of the directory, for as long as this process lives */
	SOCKET,
	APP, /* a handle of its process */
	DESCRIPTORS
};

/* A word without a descriptor, on the socket. */
#define DISMISSED 'd'

struct janitor {
	const struct procdir *procdir;
	const struct caller *caller;
	pid_t app;
	int handle; /* of it */
	int socket;
};

/* Takes what was sent, and keeps it. Returns false when nobody is left who could send. */
static bool take(int socket)
{
	int kept;
	char word = 0;

	if (receive_descriptors(socket, &kept, 1, &word) >= 0)
		return true;
	if (word == DISMISSED)
		_exit(0);
	return false;
}

static bool has_ended(pid_t app)
{
	return kill(app, 0) < 0 && errno != EPERM;
}

/*
 * Until the app has ended and nobody has the socket any more: a mount may be kept for other starts. What is
 * the app's own ends with it.
 */
static void await(const struct janitor *janitor)
{
	char temporary[PATH_MAX + 16];
	struct pollfd polled[] = { { .fd = APP, .events = POLLIN },
				   { .fd = SOCKET, .events = POLLIN } };
	bool app = true;
	/* Linux before 5.3 has no handle of a process. */
	int pause = janitor->handle < 0 ? 200 : -1;

	snprintf(temporary, sizeof temporary, "%s/tmp", janitor->procdir->path);
	while (app || polled[1].fd >= 0) {
		int n = poll(polled, 2, app ? pause : -1);
		if (n > 0 && polled[1].revents && !take(SOCKET))
			polled[1].fd = -1;
		if (app && (pause < 0 ? n > 0 && polled[0].revents : has_ended(janitor->app))) {
			app = false;
			polled[0].fd = -1;
			remove_tree(AT_FDCWD, temporary);
		}
	}
}

bool janitor_finish(const struct procdir *procdir)
{
	if (unmount_all(procdir->path) > 0)
		return false;
	remove_tree(AT_FDCWD, procdir->path);
	return true;
}

static int janitor_main(void *argument)
{
	const struct janitor *janitor = argument;
	struct failure ignored = { 0 };

	prctl(PR_SET_NAME, "fuselage-clean", 0, 0, 0);
	inherited_leave();
	if (privileges_drop(janitor->caller, &ignored) < 0 || chdir("/") < 0)
		return 1;
	/* None of them has one of these numbers (inherited.h). */
	dup2(janitor->procdir->lock, LOCK);
	dup2(janitor->socket, SOCKET);
	close(APP);
	dup2(janitor->handle, APP);
	close_from(DESCRIPTORS);
	await(janitor);
	clean_up(janitor->procdir->path);
	return 0;
}

int janitor_start(const struct procdir *procdir, const struct caller *caller, int *janitor,
		  struct failure *failure)
{
	pid_t app = getpid();
	OWNED_FD handle = (int)syscall(SYS_pidfd_open, app, 0);
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0) {
		OWNED_FD theirs = sockets[1];
		struct janitor task = { procdir, caller, app, handle, theirs };
		*janitor = sockets[0];
		if (child_leave(janitor_main, &task) == 0)
			return 0;
	}
	return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "process that cleans up");
}

void janitor_dismiss(int *janitor)
{
	static const char word = DISMISSED;

	if (*janitor >= 0) {
		(void)send_message(*janitor, &word, 1, -1);
		close(steal_fd(janitor));
	}
}

/*
 * Neither its janitor nor the process itself is there any more. The lock also tells of one that lives in another
 * pid namespace. Returns it, for as long as the directory is looked at: another sweeper's may be made anew.
 */
static int take_abandoned(const char *path, const char *name)
{
	OWNED_FD dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	pid_t pid = (pid_t)strtoul(name, NULL, 10);

	if (dir < 0 || pid <= 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 || !procdir_is_there(dir))
		return -1;
	/* Our own number: the first process of every container has the same. */
	return pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH) ? steal_fd(&dir) : -1;
}

void janitor_sweep(const char *base)
{
	char path[PATH_MAX + 300];
	DIR *dir = opendir(base);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
		OWNED_FD abandoned = take_abandoned(path, entry->d_name);
		if (abandoned >= 0 && unmount_all(path) == 0)
			remove_tree(AT_FDCWD, path);
	}
	if (dir)
		closedir(dir);
}
