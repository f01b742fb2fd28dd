#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "base/show.h"

/* In turns of so many ms. */
#define PAUSE_MS 20
#define LOOK 10
#define WORDS 100
#define PATIENCE 30000

#define PAGE 4096 /* of /proc: a read has whole lines */

/*
 * Which process has a lock of the file, as far as it can be seen from here, or 0: the 708 of
 * "1: FLOCK  ADVISORY  WRITE 708 08:01:3453 0 EOF". The device is not always that of stat.
 */
static unsigned long find_holder(int fd)
{
	OWNED_FD locks = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	char page[PAGE], file[32];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return 0;
	snprintf(file, sizeof file, ":%lu ", (unsigned long)st.st_ino);
	while ((n = read(locks, page, sizeof page - 1)) > 0) {
		page[n] = 0;
		char *at = strstr(page, file);
		if (!at)
			continue;
		while (at > page && *at != ' ')
			at--;
		while (at > page && at[-1] != ' ')
			at--;
		return strtoul(at, NULL, 10);
	}
	return 0;
}

static bool is_stopped(unsigned long pid)
{
	char text[PAGE];

	snprintf(text, sizeof text, "/proc/%lu/stat", pid);
	OWNED_FD fd = open(text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	text[n < 0 ? 0 : n] = 0;
	/* Its name may have parentheses. */
	const char *state = strrchr(text, ')');
	return state && (state[2] == 'T' || state[2] == 't');
}

/* Process 0 is one that cannot be seen from here, as for the kernel. */
static void say(int fd, unsigned long holder, bool stopped)
{
	char path[PATH_MAX];

	descriptor_path(fd, path, sizeof path);
	fputs(stopped ? "fuselage: not waiting for " : "fuselage: waiting for ", stderr);
	show_print(stderr, path);
	fprintf(stderr, ": %sprocess %lu has locked it\n", stopped ? "stopped " : "", holder);
}

int lock_wait(int fd, int operation)
{
	for (int turn = 1; flock(fd, operation | LOCK_NB) < 0; turn++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		unsigned long holder = turn % LOOK ? 0 : find_holder(fd);
		bool stopped = holder && is_stopped(holder);
		if (stopped || turn == WORDS)
			say(fd, holder, stopped);
		if (stopped || turn == PATIENCE) {
			errno = ETIMEDOUT;
			return -1;
		}
		poll(NULL, 0, PAUSE_MS);
	}
	return 0;
}
