#include "fuse/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"

/*
 * FUSERMOUNT_PROG is what AppImages have for a helper in an unusual place. fusermount is what libfuse
 * 2 called it; all speak the same protocol.
 */
static _Noreturn void exec_helper(char **argv)
{
	const char *chosen = getenv("FUSERMOUNT_PROG");

	if (chosen && *chosen) {
		argv[0] = (char *)(uintptr_t)chosen;
		execvp(argv[0], argv);
		_exit(127);
	}
	argv[0] = (char *)"fusermount3";
	execvp(argv[0], argv);
	argv[0] = (char *)"fusermount";
	execvp(argv[0], argv);
	_exit(127);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The helper's own words, one line. */
static void read_message(int fd, char message[FUSERMOUNT_MESSAGE_MAX])
{
	ssize_t n = read(fd, message, FUSERMOUNT_MESSAGE_MAX - 1);

	message[n > 0 ? n : 0] = 0;
	message[strcspn(message, "\n")] = 0;
}

static _Noreturn void helper_main(const struct start *start, const char *target,
				  const char *options, int socket, int errors)
{
	struct failure ignored = { 0 };
	char number[16];
	char *argv[] = { NULL,
			 (char *)"-o",
			 (char *)(uintptr_t)options,
			 (char *)"--",
			 (char *)(uintptr_t)target,
			 NULL };

	if (privileges_drop(&start->caller, &ignored) < 0 || dup2(errors, STDERR_FILENO) < 0 ||
	    fcntl(socket, F_SETFD, 0) < 0)
		_exit(1);
	snprintf(number, sizeof number, "%d", socket);
	setenv("_FUSE_COMMFD", number, 1);
	exec_helper(argv);
}

int fusermount_mount(const struct start *start, const char *target, const char *options,
		     struct failure *failure)
{
	char message[FUSERMOUNT_MESSAGE_MAX];
	int sockets[2], errors[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "socket to fusermount3");
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	if (pipe2(errors, O_CLOEXEC) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "pipe from fusermount3");
	OWNED_FD messages = errors[0], their_messages = errors[1];
	pid_t child = fork();
	if (child == 0)
		helper_main(start, target, options, theirs, their_messages);
	if (child < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "fusermount3");
	close(steal_fd(&theirs));
	close(steal_fd(&their_messages));
	OWNED_FD device = receive_descriptor(ours);
	read_message(messages, message);
	int status = wait_for(child);
	if (status == 127)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "fusermount3 is not installed (package fuse3)");
	if (device < 0 || status != 0)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "fusermount3 failed: %s",
			    *message ? message : "no reason given");
	return steal_fd(&device);
}

int fusermount_unmount(const char *target, bool lazy, char message[FUSERMOUNT_MESSAGE_MAX])
{
	char *argv[] = { NULL, (char *)(lazy ? "-uz" : "-u"), (char *)"--",
			 (char *)(uintptr_t)target, NULL };
	int errors[2];

	*message = 0;
	if (pipe2(errors, O_CLOEXEC) < 0)
		return -1;
	OWNED_FD messages = errors[0], their_messages = errors[1];
	pid_t child = fork();
	if (child == 0) {
		dup2(their_messages, STDOUT_FILENO);
		dup2(their_messages, STDERR_FILENO);
		exec_helper(argv);
	}
	close(steal_fd(&their_messages));
	if (child < 0)
		return -1;
	read_message(messages, message);
	int status = wait_for(child);
	if (status == 127)
		snprintf(message, FUSERMOUNT_MESSAGE_MAX,
			 "fusermount3 is not installed (package fuse3)");
	return status == 0 ? 0 : -1;
}
