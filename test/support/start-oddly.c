/*
 * start-oddly WAY PROGRAM [ARG]...: starts PROGRAM as few callers do.
 *
 *   descriptor     by a descriptor (fexecve)
 *   no-arguments   with argc 0
 *   empty          with an empty environment
 *   many           with 7000 arguments and 3000 variables
 *   small-stack    with a stack of 128 KiB
 *   full           with all descriptors below 100 in use
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

#define ARGUMENTS 7000
#define VARIABLES 3000

static void start_with_many(const char *program)
{
	static char *arguments[ARGUMENTS + 1], *variables[VARIABLES + 1];

	for (int i = 0; i < ARGUMENTS; i++)
		arguments[i] = "argument";
	for (int i = 0; i < VARIABLES; i++)
		if (asprintf(&variables[i], "VARIABLE_%d=%d", i, i) < 0)
			exit(121);
	execve(program, arguments, variables);
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
		start_with_many(program);
	} else if (!strcmp(way, "small-stack")) {
		struct rlimit limit = { 128 << 10, 128 << 10 };
		setrlimit(RLIMIT_STACK, &limit);
		execv(program, argv + 2);
	} else if (!strcmp(way, "full")) {
		while (open("/dev/null", O_RDONLY) < 100) {
		}
		execv(program, argv + 2);
	}
	perror(program);
	return 121;
}
