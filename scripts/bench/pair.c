/*
 * Times two commands in turn, as closely as a process can: fork, exec, wait.
 *
 *   pair COUNT UID PAUSE COMMAND [ARG]... -- COMMAND [ARG]...
 *
 * PAUSE is slept before each of them, ms: for what goes on after the one before. Prints one line for each pair: nanoseconds of the first, nanoseconds of the second. Commands run
 * as UID and the group of the same number, without other groups; their output is dropped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void run_child(char **argv, uid_t uid)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	if (geteuid() == 0 && uid != 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	     setresuid(uid, uid, uid) < 0))
		_exit(126);
	execv(argv[0], argv);
	_exit(127);
}

static long long time_run(char **argv, uid_t uid, long pause)
{
	struct timespec rest = { pause / 1000, pause % 1000 * 1000000 };

	nanosleep(&rest, NULL);
	long long start = now();
	pid_t pid = fork();
	int status;

	if (pid < 0) {
		perror("fork");
		exit(1);
	}
	if (pid == 0)
		run_child(argv, uid);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0) {
		fprintf(stderr, "pair: %s ended with wait status %#x\n", argv[0], (unsigned)status);
		exit(1);
	}
	return now() - start;
}

int main(int argc, char **argv)
{
	int split = 0;

	for (int i = 4; i < argc && split == 0; i++)
		if (strcmp(argv[i], "--") == 0)
			split = i;
	if (split < 5 || split + 1 >= argc) {
		fprintf(stderr,
			"usage: pair COUNT UID PAUSE COMMAND [ARG]... -- COMMAND [ARG]...\n");
		return 2;
	}
	argv[split] = NULL;
	long count = strtol(argv[1], NULL, 10);
	uid_t uid = (uid_t)strtol(argv[2], NULL, 10);
	long pause = strtol(argv[3], NULL, 10);
	for (long i = 0; i < count; i++) {
		long long first = time_run(argv + 4, uid, pause);
		long long second = time_run(argv + split + 1, uid, pause);

		printf("%lld %lld\n", first, second);
	}
	return 0;
}
