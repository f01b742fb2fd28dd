/*
 * By control groups of version 2, as container engines pause: unlike a signal no parent is told of it. An app may have
 * mounted that hierarchy itself and have groups in it, so each group at its top is stopped; what is in none is
 * put into one of ours. What the app has frozen itself stays so.
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

#include "base/owned.h"
#include "guest/control_groups.h"
#include "guest/wait.h"
#include "kernel/trees.h"

/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000u
/* Passes over the processes: each finds only those that ran during the one before. */
#define PASSES_MOST 1000

/* A proc of our own: over what is at /proc the app may have mounted anything. */
static int processes = -1;
/* The group for those that are in none. */
static int ours = -1;
/* Groups that were not frozen before, by their inode numbers: no other group ever gets one of these. */
static struct {
	ino_t *ids;
	size_t count;
} held;

/* Threads of the kernel's, which a group that has one never freezes. The field is "flags" of proc(5). */
static bool is_of_kernel(long process)
{
	char path[48], text[512];

	snprintf(path, sizeof path, "%ld/stat", process);
	const char *at = kernel_file_read(processes, path, text, sizeof text);
	at = strrchr(at, ')'); /* the end of its name */
	for (int blanks = 0; at && blanks < 7; blanks++)
		at = strchr(at + 1, ' ');
	return at && strtoul(at, NULL, 10) & PF_KTHREAD;
}

/*
 * Whether all of its threads are in groups. The list of the root has processes of groups of threads, too, and these
 * are stopped where they are.
 */
static bool is_in_groups(long process)
{
	char path[48], text[512];
	struct dirent *entry;
	bool in_groups = true;

	snprintf(path, sizeof path, "%ld/task", process);
	int fd = openat(processes, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *threads = fd < 0 ? NULL : fdopendir(fd);
	if (!threads && fd >= 0)
		close(fd);
	if (!threads)
		return false;
	while (in_groups && (entry = readdir(threads))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof path, "%.20s/cgroup", entry->d_name);
		const char *group = strstr(kernel_file_read(fd, path, text, sizeof text), "0::/");
		in_groups = group && group[strlen("0::/")] != '\n';
	}
	closedir(threads);
	return in_groups;
}

/* Returns 1 when it was moved, 0 when it stays or has ended meanwhile, or -1 and errno. */
static int move(long process)
{
	char text[24];

	if (process <= 1 || is_of_kernel(process) || is_in_groups(process))
		return 0;
	snprintf(text, sizeof text, "%ld", process);
	if (kernel_file_write(ours, "cgroup.procs", text) == 0)
		return 1;
	return errno == ESRCH ? 0 : -1;
}

/* Moves who is in no group. Returns how many, or -1 and errno. */
static int gather(void)
{
	OWNED_FD list = openat(control_groups_root(), "cgroup.procs", O_RDONLY | O_CLOEXEC);
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

static bool is_held(ino_t id)
{
	for (size_t i = 0; i < held.count; i++)
		if (held.ids[i] == id)
			return true;
	return false;
}

static int remember(ino_t id)
{
	if (is_held(id))
		return 0;
	ino_t *ids = realloc(held.ids, (held.count + 1) * sizeof *ids);
	if (!ids)
		return -1;
	held.ids = ids;
	ids[held.count++] = id;
	return 0;
}

/* One that is frozen already is held, or is the app's to let go. */
static int hold(int group)
{
	char frozen[8];
	struct stat st;

	if (*kernel_file_read(group, "cgroup.freeze", frozen, sizeof frozen) == '1')
		return 0;
	if (fstat(group, &st) < 0 || remember(st.st_ino) < 0)
		return -1;
	if (kernel_file_write(group, "cgroup.freeze", "1") == 0)
		return 0;
	return errno == ENODEV || errno == ENOENT ? 0 : -1; /* it has been removed */
}

static int let_go(int group)
{
	struct stat st;

	if (fstat(group, &st) < 0 || !is_held(st.st_ino))
		return 0;
	return kernel_file_write(group, "cgroup.freeze", "0");
}

static int require_still(int group)
{
	return control_group_is_still(group) ? 0 : -1;
}

static bool all_are_still(void)
{
	return control_groups_each(require_still) == 0;
}

static bool all_stop(void *context)
{
	(void)context;
	return control_groups_each(hold) == 0 && all_are_still();
}

static int open_all(void)
{
	if (processes < 0)
		processes = tree_proc();
	if (processes < 0 || control_groups_root() < 0)
		return -1;
	if (ours >= 0)
		close(ours);
	ours = control_group_make();
	return ours < 0 ? -1 : 0;
}

/*
 * Until they stop, processes fork, make groups and go from one to another or out of all. So it is over when all groups
 * stood still before and after a pass that found nobody in none.
 */
static int stop_all(void)
{
	for (int pass = 0; pass < PASSES_MOST; pass++) {
		bool were_still = all_are_still();
		int moved = control_groups_each(hold) < 0 ? -1 : gather();
		if (moved < 0)
			return -1;
		if (were_still && moved == 0 && all_are_still())
			return 0;
		if (!wait_until(all_stop, NULL))
			break;
	}
	errno = ETIMEDOUT;
	return -1;
}

int freezer_stop(struct failure *failure)
{
	if (open_all() < 0)
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
	if (control_groups_root() >= 0)
		control_groups_each(let_go);
	held.count = 0;
}
