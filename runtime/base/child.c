#include "base/child.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What clone(3) itself has on the stack, and more, bytes. */
#define ROOM 2048

/* The new process goes on below this one's frames: on a copy of the same stack, as after fork. */
__attribute__((noinline)) static pid_t start(int (*run)(void *), void *context, int flags)
{
	char *stack = (char *)__builtin_frame_address(0) - ROOM;
	pid_t child = clone(run, stack, flags, context);

	/* qemu-user, which runs programs of other machines, knows ordinary children only. */
	if (child < 0 && errno == EINVAL && !(flags & SIGCHLD))
		child = start(run, context, flags | SIGCHLD);
	return child;
}

pid_t child_start(int (*run)(void *), void *context)
{
	return start(run, context, 0);
}

int child_collect(pid_t child)
{
	int status;

	if (child < 0)
		return -1;
	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int child_run(int (*run)(void *), void *context)
{
	return child_collect(child_start(run, context));
}

int child_execute(int (*run)(void *), void *context)
{
	return child_collect(start(run, context, CLONE_VM | CLONE_VFORK));
}

/* PROC_PID_INIT_INO of the kernel. */
#define FIRST_PID_NAMESPACE 0xEFFFFFFCU

bool child_is_of_machine(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_PID_NAMESPACE;
}

bool child_adopts(void)
{
	int reaper = 0;

	prctl(PR_GET_CHILD_SUBREAPER, &reaper, 0, 0, 0);
	return reaper || getpid() == 1;
}

struct leaver {
	int (*run)(void *);
	void *context;
};

static int leave(void *argument)
{
	const struct leaver *leaver = argument;

	return child_start(leaver->run, leaver->context) < 0 ? errno : 0;
}

int child_leave(int (*run)(void *), void *context)
{
	struct leaver leaver = { run, context };

	if (child_adopts())
		return child_start(run, context) < 0 ? -1 : 0;
	/*
	 * By a process between the two, which ends at once. It shares this one's memory and does
	 * nothing but start the other: to copy it twice would take as long as a server's sandbox.
	 */
	int error = child_collect(start(leave, &leaver, CLONE_VM | CLONE_VFORK));
	if (error > 0)
		errno = error;
	return error ? -1 : 0;
}
