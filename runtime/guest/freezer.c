/*
 * By control groups of version 2, as container engines pause: unlike a signal no parent is told of it. An app may have
 * mounted that hierarchy itself and have groups in it, so each group at its top is stopped; what is in none is
 * put into one of ours.
 */
#include "guest/freezer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "guest/wait.h"
#include "kernel/trees.h"

#define GROUP "fuselage"
/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000u
/* Passes over the processes: each finds only those that ran during the one before. */
#define PASSES_MOST 1000

static int hierarchy = -1; /* its root */
/* A proc of our own: over what is at /proc the app may have mounted anything. */
static int processes = -1;

static int write_text(int directory, const char *name, const char *text)
{
	OWNED_FD file = openat(directory, name, O_WRONLY | O_CLOEXEC);

	return file < 0 ? -1 : write_full(file, text, strlen(text));
}

/* Threads of the kernel's, which a group that has one never freezes. The field is "flags" of proc(5). */
static bool is_of_kernel(long process)
{
	char path[48], text[512];

	snprintf(path, sizeof path, "%ld/stat", process);
	OWNED_FD file = openat(processes, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	const char *at = strrchr(text, ')'); /* the end of its name */
	for (int blanks = 0; at && blanks < 7; blanks++)
		at = strchr(at + 1, ' ');
	return at && strtoul(at, NULL, 10) & PF_KTHREAD;
}

/* Returns 1 when it was moved, 0 when it stays or has ended meanwhile, or -1 and errno. */
static int move(long process)
{
	char text[24];

	if (process <= 1 || is_of_kernel(process))
		return 0;
	snprintf(text, sizeof text, "%ld", process);
	if (write_text(hierarchy, GROUP "/cgroup.procs", text) == 0)
		return 1;
	return errno == ESRCH ? 0 : -1;
}

/* Moves who is in no group. Returns how many, or -1 and errno. */
static int gather(void)
{
	OWNED_FD list = openat(hierarchy, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	long process = 0;
	int moved = 0, one;
	char text[512];
	ssize_t n;

	if (list < 0)
		return -1;
	while ((n = read(list, text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] != '\n') {
				process = process * 10 + text[i] - '0';
				continue;
			}
			if ((one = move(process)) < 0)
				return -1;
			moved += one;
			process = 0;
		}
	}
	return n < 0 ? -1 : moved;
}

/* Returns a descriptor of the next group at the top, or -1 behind the last. Its name may be any but two. */
static int next_group(DIR *top)
{
	struct dirent *entry;

	while ((entry = readdir(top))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int group = openat(dirfd(top), entry->d_name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (group >= 0)
			return group;
	}
	return -1;
}

static DIR *open_top(void)
{
	int fd = openat(hierarchy, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *top = fd < 0 ? NULL : fdopendir(fd);

	if (!top && fd >= 0)
		close(fd);
	return top;
}

static int set_all(const char *frozen)
{
	DIR *top = open_top();
	int group, failed = top ? 0 : -1;

	while (top && (group = next_group(top)) >= 0) {
		if (write_text(group, "cgroup.freeze", frozen) < 0)
			failed = -1;
		close(group);
	}
	int error = errno;
	if (top)
		closedir(top);
	errno = error;
	return failed;
}

static bool is_still(int group)
{
	char text[128];
	OWNED_FD file = openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	return strstr(text, "frozen 1\n") || strstr(text, "populated 0\n");
}

static bool all_are_still(void *context)
{
	DIR *top = open_top();
	bool still = top;
	int group;

	(void)context;
	while (top && (group = next_group(top)) >= 0) {
		still = still && is_still(group);
		close(group);
	}
	if (top)
		closedir(top);
	return still;
}

static bool all_stop(void *context)
{
	return set_all("1") == 0 && all_are_still(context);
}

static int open_hierarchy(void)
{
	if (hierarchy < 0)
		hierarchy = tree_system("cgroup2");
	if (processes < 0)
		processes = tree_proc();
	if (hierarchy < 0 || processes < 0)
		return -1;
	return mkdirat(hierarchy, GROUP, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/*
 * Until they stop, processes fork, make groups and go from one to another or out of all. So it is over when all groups
 * stood still before and after a pass that found nobody in none.
 */
static int stop_all(void)
{
	for (int pass = 0; pass < PASSES_MOST; pass++) {
		bool were_still = all_are_still(NULL);
		int moved = set_all("1") < 0 ? -1 : gather();
		if (moved < 0)
			return -1;
		if (were_still && moved == 0 && all_are_still(NULL))
			return 0;
		if (!wait_until(all_stop, NULL))
			break;
	}
	errno = ETIMEDOUT;
	return -1;
}

int freezer_stop(struct failure *failure)
{
	if (open_hierarchy() < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START,
				  "control groups (cgroup2) and processes (proc)");
	if (stop_all() == 0)
		return 0;
	fail_errno(failure, FUSELAGE_E_GUEST_START, "processes that do not stand still");
	freezer_go_on();
	return -1;
}

void freezer_go_on(void)
{
	if (hierarchy >= 0)
		set_all("0");
}
