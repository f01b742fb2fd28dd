/*
 * Starts the programs of a plan, one after the other, and says how each ended.
 *
 *   cells PLAN              where it is
 *   cells PLAN --root DIR   with DIR as the root of all files; /proc, /dev and /sys are the machine's
 *
 * DIR is entered by pivot_root, because in a chroot nobody may make a user namespace. Lines of PLAN:
 *
 *   cell NAME UID SECONDS   the steps that follow are of NAME, by this user, each for so long at most
 *   env K=V                 a variable of these steps, which have no others
 *   run ARG<tab>ARG...      a step: a program by its path, and its arguments
 *   umount DIR              a step: by this program itself
 *
 * When a step fails the others of its cell are left out. Prints one line for each step that was taken:
 *
 *   @@ NAME STATUS NANOSECONDS OUTPUT
 *
 * STATUS is the program's, 128 + N after signal N, or 124 when it took too long. OUTPUT is what it
 * wrote, its first bytes in hexadecimal digits, so that a serial console carries it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_ARGUMENTS = 32,
	MAX_VARIABLES = 32,
	MAX_OUTPUT = 3000,
	TOO_LONG = 124
};

struct cell {
	char name[128];
	unsigned uid;
	unsigned seconds;
	bool failed;
	char *variables[MAX_VARIABLES + 1];
	size_t count;
};

static void check(long result, const char *step)
{
	if (result >= 0)
		return;
	fprintf(stderr, "cells: %s: %s\n", step, strerror(errno));
	exit(120);
}

static void enter_root(const char *dir)
{
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
	check(mount(dir, dir, NULL, MS_BIND, NULL), dir);
	check(chdir(dir), dir);
	check(mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL), "/proc");
	check(mount("/dev", "dev", NULL, MS_BIND | MS_REC, NULL), "/dev");
	check(mount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL), "/sys");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "umount");
	check(chdir("/"), "/");
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void become(unsigned uid)
{
	check(setgroups(0, NULL), "setgroups");
	check(setresgid(uid, uid, uid), "setresgid");
	check(setresuid(uid, uid, uid), "setresuid");
}

static void start(const struct cell *cell, char **arguments, int output)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	check(dup2(output, 1), "dup2");
	check(dup2(output, 2), "dup2");
	become(cell->uid);
	execve(arguments[0], arguments, cell->variables);
	fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
	_exit(127);
}

/* Waits for a child; its group is killed when it takes too long. */
static int status_of(pid_t pid, unsigned seconds)
{
	const struct timespec limit = { .tv_sec = seconds };
	sigset_t children;
	int status = 0;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (sigtimedwait(&children, NULL, &limit) >= 0 || errno != EAGAIN)
			continue;
		kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		return TOO_LONG;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void report(struct cell *cell, int status, long long took, int output)
{
	unsigned char bytes[MAX_OUTPUT];
	ssize_t size = pread(output, bytes, sizeof bytes, 0);

	cell->failed = status != 0;
	printf("@@ %s %d %lld ", cell->name, status, took);
	for (ssize_t i = 0; i < size; i++)
		printf("%02x", bytes[i]);
	puts("");
	fflush(stdout);
}

/* A file takes the output, because a server that outlives its program would hold a pipe open. */
static int output_file(void)
{
	int file = memfd_create("output", MFD_CLOEXEC);

	check(file, "memfd_create");
	return file;
}

static void run(struct cell *cell, char *line)
{
	char *arguments[MAX_ARGUMENTS + 1];
	size_t count = 0;
	int output = output_file();
	long long began;
	pid_t pid;

	for (char *word = strtok(line, "\t"); word && count < MAX_ARGUMENTS;
	     word = strtok(NULL, "\t"))
		arguments[count++] = word;
	arguments[count] = NULL;
	began = now();
	pid = fork();
	check(pid, "fork");
	if (pid == 0)
		start(cell, arguments, output);
	int status = status_of(pid, cell->seconds);
	report(cell, status, now() - began, output);
	close(output);
}

static void unmount(struct cell *cell, const char *dir)
{
	int output = output_file();
	long long began = now();
	int status = umount2(dir, MNT_DETACH) < 0;

	if (status)
		dprintf(output, "umount %s: %s\n", dir, strerror(errno));
	report(cell, status, now() - began, output);
	close(output);
}

static void add_variable(struct cell *cell, const char *text)
{
	if (cell->count == MAX_VARIABLES)
		return;
	cell->variables[cell->count++] = strdup(text);
	cell->variables[cell->count] = NULL;
}

static void begin_cell(struct cell *cell, const char *line)
{
	while (cell->count > 0)
		free(cell->variables[--cell->count]);
	*cell = (struct cell){ 0 };
	if (sscanf(line, "%127s %u %u", cell->name, &cell->uid, &cell->seconds) != 3) {
		fprintf(stderr, "cells: no cell: %s\n", line);
		exit(120);
	}
}

static void take_line(struct cell *cell, char *line)
{
	char *rest = strchr(line, ' ');

	if (!rest)
		return;
	*rest++ = '\0';
	if (strcmp(line, "cell") == 0)
		begin_cell(cell, rest);
	else if (strcmp(line, "env") == 0)
		add_variable(cell, rest);
	else if (cell->failed)
		return;
	else if (strcmp(line, "run") == 0)
		run(cell, rest);
	else if (strcmp(line, "umount") == 0)
		unmount(cell, rest);
}

int main(int argc, char **argv)
{
	struct cell cell = { 0 };
	char *line = NULL;
	size_t room = 0;
	sigset_t children;
	FILE *plan = argc > 1 ? fopen(argv[1], "re") : NULL;

	check(plan ? 0 : -1, "the plan");
	if (argc == 4)
		enter_root(argv[3]);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	for (ssize_t size; (size = getline(&line, &room, plan)) >= 0;) {
		if (size > 0 && line[size - 1] == '\n')
			line[size - 1] = '\0';
		take_line(&cell, line);
	}
	free(line);
	fclose(plan);
	return 0;
}
