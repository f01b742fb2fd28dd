/*
 * start-oddly WAY PROGRAM [ARG]...: starts PROGRAM as few callers do.
 *
 *   descriptor     by a descriptor (fexecve)
 *   no-arguments   with an empty argv, of which Linux 5.18 makes one empty argument
 *   argc-0         with argc 0, as older kernels start it: its stack is changed before its first instruction
 *   empty          with an empty environment
 *   many           with 7000 arguments and 3000 variables
 *   huge           with 200,000 variables of a few bytes each, and as large a stack as they need
 *   long           with variables as long as the kernel takes them, 128 KiB, of those that a start reads
 *   small-stack    with a stack of 128 KiB
 *   tiny-stack     with a stack of 64 KiB
 *   full           with all descriptors below 100 in use
 *   closed         without standard input
 *   no-files       with no descriptor to be had
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define MOST_ARGUMENTS 7000
#define MOST_VARIABLES 200000
#define LONGEST 131072 /* MAX_ARG_STRLEN of the kernel, the NUL included */

static void start_with_many(const char *program, int argument_count, int variable_count)
{
	static char *arguments[MOST_ARGUMENTS + 1], *variables[MOST_VARIABLES + 1];

	for (int i = 0; i < argument_count; i++)
		arguments[i] = "argument";
	for (int i = 0; i < variable_count; i++)
		if (asprintf(&variables[i], "V%d=%d", i, i) < 0)
			exit(121);
	execve(program, arguments, variables);
}

static void start_with_long(char **argv)
{
	static const char *const names[] = { "LD_LIBRARY_PATH", "LD_PRELOAD", "FUSELAGE_STRANGE",
					     "LC_ALL",		"LC_CTYPE",   "LANG" };
	static char texts[sizeof names / sizeof names[0]][LONGEST];
	char *variables[sizeof names / sizeof names[0] + 1] = { NULL };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		int length = snprintf(texts[i], LONGEST, "%s=", names[i]);
		memset(texts[i] + length, 'x', (size_t)(LONGEST - 1 - length));
		variables[i] = texts[i];
	}
	execve(argv[0], argv, variables);
}

static void set_limit(int resource, rlim_t value)
{
	struct rlimit limit = { value, value };

	if (setrlimit(resource, &limit)) {
		perror("setrlimit");
		exit(121);
	}
}

static long word_at(pid_t child, unsigned long address)
{
	return ptrace(PTRACE_PEEKDATA, child, address, NULL);
}

/* Takes the arguments of a program that has not run yet away, and moves what stands behind them. */
static void take_arguments_away(pid_t child)
{
	struct user_regs_struct registers;
	unsigned long from, to;
	long word;

	ptrace(PTRACE_GETREGS, child, NULL, &registers);
	to = registers.rsp;
	from = to + 8 * (1 + (unsigned long)word_at(child, to)); /* the NULL behind the arguments */
	ptrace(PTRACE_POKEDATA, child, to, 0L);
	for (int zeros = 0; zeros < 2;) { /* the arguments' and the environment's */
		word = word_at(child, from);
		from += 8;
		to += 8;
		ptrace(PTRACE_POKEDATA, child, to, word);
		zeros += word == 0;
	}
	do { /* the auxiliary vector, with its end */
		word = word_at(child, from);
		ptrace(PTRACE_POKEDATA, child, to + 8, word);
		ptrace(PTRACE_POKEDATA, child, to + 16, word_at(child, from + 8));
		from += 16;
		to += 16;
	} while (word != 0);
}

static int start_without_arguments(const char *program)
{
	char *nothing[] = { NULL };
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execve(program, nothing, environ);
		_exit(121);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return 121;
	take_arguments_away(child);
	ptrace(PTRACE_DETACH, child, NULL, NULL);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char *nothing[] = { NULL };

	if (argc < 3)
		return 120;
	const char *way = argv[1], *program = argv[2];
	if (!strcmp(way, "descriptor")) {
		int fd = open(program, O_RDONLY | O_CLOEXEC);
		fexecve(fd, argv + 2, environ);
	} else if (!strcmp(way, "no-arguments")) {
		execve(program, nothing, environ);
	} else if (!strcmp(way, "empty")) {
		execve(program, argv + 2, nothing);
	} else if (!strcmp(way, "many")) {
		start_with_many(program, MOST_ARGUMENTS, 3000);
	} else if (!strcmp(way, "argc-0")) {
		return start_without_arguments(program);
	} else if (!strcmp(way, "huge")) {
		set_limit(RLIMIT_STACK, 64 << 20);
		start_with_many(program, 1, MOST_VARIABLES);
	} else if (!strcmp(way, "long")) {
		start_with_long(argv + 2);
	} else if (!strcmp(way, "small-stack")) {
		set_limit(RLIMIT_STACK, 128 << 10);
		execv(program, argv + 2);
	} else if (!strcmp(way, "tiny-stack")) {
		set_limit(RLIMIT_STACK, 64 << 10);
		execv(program, argv + 2);
	} else if (!strcmp(way, "closed")) {
		close(0);
		execv(program, argv + 2);
	} else if (!strcmp(way, "no-files")) {
		set_limit(RLIMIT_NOFILE, 3);
		execv(program, argv + 2);
	} else if (!strcmp(way, "full")) {
		while (open("/dev/null", O_RDONLY) < 100) {
		}
		execv(program, argv + 2);
	}
	perror(program);
	return 121;
}
