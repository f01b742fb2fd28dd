/*
 * Walks paths as the runtime does and says where each ends:
 *
 *   walk [setuid] [single|range] [times N] any|own|make PATH...
 *
 * Prints "ok PATH" or "ERRNO TEXT" for each. `single` first enters a user namespace that maps the
 * caller alone, `range` one that maps everybody but root (for root to do). `times` walks so often,
 * and prints each other answer once.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "kernel/trusted_path.h"

#define CHECK(call)                                                 \
	do {                                                        \
		if ((call) < 0) {                                   \
			fprintf(stderr, "%s: %m\n", #call); \
			exit(3);                                    \
		}                                                   \
	} while (0)

static void write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd);
	CHECK(write(fd, text, strlen(text)));
	close(fd);
}

static void map_single(void)
{
	char text[64];
	unsigned uid = getuid();

	CHECK(unshare(CLONE_NEWUSER));
	snprintf(text, sizeof text, "%u %u 1", uid, uid);
	write_file(getpid(), "uid_map", text);
}

/* The parent maps, which has the right to; the child goes on as user 1000. */
static void map_range(void)
{
	int ready[2], status;
	char byte;

	CHECK(pipe(ready));
	pid_t child = fork();
	CHECK(child);
	if (child == 0) {
		CHECK(unshare(CLONE_NEWUSER));
		CHECK(write(ready[1], "", 1));
		for (int i = 0; i < 5000 && setresuid(1000, 1000, 1000) < 0; i++)
			usleep(1000);
		CHECK(getuid() == 1000 ? 0 : -1);
		return;
	}
	CHECK(read(ready[0], &byte, 1));
	write_file(child, "uid_map", "1 1 70000");
	CHECK(waitpid(child, &status, 0));
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

static void answer(const char *path, const struct caller *caller, enum trusted_end end, char *text,
		   size_t size)
{
	struct failure failure = { 0 };
	char where[4096];

	int fd = trusted_open(AT_FDCWD, path, caller, end, FUSELAGE_E_HOME_UNUSABLE, &failure);
	if (fd < 0) {
		snprintf(text, size, "%s %s", strerrorname_np(errno), failure.text);
		return;
	}
	CHECK(descriptor_path(fd, where, sizeof where));
	snprintf(text, size, "ok %s", where);
	close(fd);
}

int main(int argc, char **argv)
{
	struct caller caller = { .setuid = false };
	enum trusted_end end = TRUSTED_ANY;
	long times = 1;

	(void)argc;
	for (argv++; *argv && **argv != '/' && **argv != '.'; argv++) {
		if (strcmp(*argv, "setuid") == 0)
			caller.setuid = true;
		else if (strcmp(*argv, "single") == 0)
			map_single();
		else if (strcmp(*argv, "range") == 0)
			map_range();
		else if (strcmp(*argv, "times") == 0)
			times = atol(*++argv);
		else
			end = strcmp(*argv, "own") == 0	 ? TRUSTED_OWN :
			      strcmp(*argv, "make") == 0 ? TRUSTED_MAKE :
							   TRUSTED_ANY;
	}
	caller.uid = getuid();
	caller.gid = getgid();
	for (; *argv; argv++) {
		char last[8192] = "", text[8192];
		for (long i = 0; i < times; i++) {
			answer(*argv, &caller, end, text, sizeof text);
			if (strcmp(text, last) != 0)
				puts(strcpy(last, text));
		}
	}
	return 0;
}
