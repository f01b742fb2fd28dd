/*
 * Runs a command where the kernel has no overlays: refuse-overlay UID COMMAND ARG... A filter cannot
 * read the name of a file system, so a tracer looks at each mount(2) of the command and of what it
 * starts, and turns the type into one that there is not.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |                 \
	 PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)

static void refuse(pid_t pid)
{
	struct __ptrace_syscall_info info;
	union {
		long word;
		char text[sizeof(long)];
	} type;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_mount ||
	    !info.entry.args[2])
		return;
	type.word = ptrace(PTRACE_PEEKDATA, pid, info.entry.args[2], 0);
	if (memcmp(type.text, "overlay", 8) != 0)
		return;
	type.text[0] = 'X';
	ptrace(PTRACE_POKEDATA, pid, info.entry.args[2], type.word);
}

int main(int argc, char **argv)
{
	int status, result = 1;
	pid_t first = fork();

	if (argc < 3)
		return 2;
	if (first == 0) {
		uid_t uid = (uid_t)atoi(argv[1]);
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(3);
		raise(SIGSTOP);
		if (uid && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			    setresuid(uid, uid, uid) < 0))
			_exit(4);
		execvp(argv[2], argv + 2);
		_exit(5);
	}
	waitpid(first, &status, 0);
	ptrace(PTRACE_SETOPTIONS, first, 0, OPTIONS);
	ptrace(PTRACE_SYSCALL, first, 0, 0);
	for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
		int signal = 0;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == first)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 99;
			if (pid == first)
				break;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			refuse(pid);
		else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			signal = WSTOPSIG(status);
		ptrace(PTRACE_SYSCALL, pid, 0, signal);
	}
	return result;
}
