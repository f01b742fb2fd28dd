#include "process/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"

/* What process 1 tells the caller's process, which sees only that one's own end. */
struct note {
	int stopped; /* the app was: whoever has a terminal wants to know */
	int status; /* of its end, as wait(2) has it */
};

static struct {
	int note; /* process 1: writes; the caller's process: reads */
	sigset_t mask; /* the caller's */
	struct sigaction child; /* what it does with SIGCHLD */
} state;

/* Signals are read, not caught, and SIGCHLD is worth one: before there is anybody who could end. */
static int take_signals(void)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_BLOCK, &all, &state.mask) < 0 ||
			       sigaction(SIGCHLD, &plain, &state.child) < 0 ?
		       -1 :
		       0;
}

static int open_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	return signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What a terminal sends, its whole group has got already: that comes from the kernel. */
static bool is_for_one(const struct signalfd_siginfo *signal)
{
	return signal->ssi_code <= 0;
}

/* As the app did: its caller reads the same status. A core would be ours. */
static void end_like(int status)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };
	const struct rlimit none = { 0 };
	sigset_t one;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	int number = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sigaction(number, &plain, NULL);
	raise(number);
	sigemptyset(&one);
	sigaddset(&one, number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	_exit(128 + number);
}

/* Returns false at the end of process 1. */
static bool read_note(pid_t init)
{
	struct note note;
	ssize_t n;

	do
		n = read(state.note, &note, sizeof note);
	while (n < 0 && errno == EINTR);
	if (n != sizeof note)
		return false;
	if (!note.stopped)
		end_like(note.status);
	raise(SIGSTOP);
	kill(init, SIGCONT);
	return true;
}

static void pass_on(int signals, pid_t to)
{
	struct signalfd_siginfo signal;

	while (read(signals, &signal, sizeof signal) == sizeof signal)
		if (signal.ssi_signo != SIGCHLD && is_for_one(&signal))
			kill(to, (int)signal.ssi_signo);
}

/* The caller's process, for as long as the app runs. */
static void wait_for(pid_t init)
{
	struct pollfd ends[] = { { .fd = open_signals(), .events = POLLIN },
				 { .fd = state.note, .events = POLLIN } };
	int status = 0;

	while (poll(ends, 2, -1) >= 0 || errno == EINTR) {
		if (ends[0].revents & POLLIN)
			pass_on(ends[0].fd, init);
		if (ends[1].revents && !read_note(init))
			break;
	}
	/* It told nothing: the start failed, and has said so, or it was killed. */
	while (waitpid(init, &status, __WALL) < 0 && errno == EINTR) {
	}
	end_like(status);
}

/*
 * The same for an app that is process 1. The kernel keeps signals from that for which it has no handler, but SIGKILL
 * and SIGSTOP from outside: so what would end another app does not end this one.
 */
static void wait_for_app(pid_t app)
{
	struct pollfd end = { .fd = open_signals(), .events = POLLIN };
	int status;
	pid_t child;

	for (;;) {
		while ((child = waitpid(app, &status, WNOHANG | WUNTRACED)) == 0) {
			while (poll(&end, 1, -1) < 0 && errno == EINTR) {
			}
			pass_on(end.fd, app);
		}
		if (child < 0)
			_exit(1);
		if (!WIFSTOPPED(status))
			end_like(status);
		raise(SIGSTOP);
		kill(app, SIGCONT);
	}
}

static void keep_only_note(void)
{
	if (dup2(state.note, 0) < 0)
		_exit(1);
	state.note = 0;
	close_from(1);
}

/* Whatever becomes of the caller's process, nothing of this start outlives it. */
static void die_with_caller(void)
{
	struct pollfd caller = { .fd = state.note, .events = 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	/* It may have ended before: then nobody reads. */
	if (poll(&caller, 1, 0) > 0 && caller.revents & POLLERR)
		_exit(1);
}

static int begin(bool as_app, struct failure *failure)
{
	int ends[2];

	if (unshare(CLONE_NEWPID) < 0 || pipe2(ends, O_CLOEXEC) < 0 || take_signals() < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "process namespace");
	pid_t init = fork();
	if (init < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "process 1");
	state.note = ends[init == 0];
	close(ends[init != 0]);
	if (init > 0) {
		keep_only_note();
		if (as_app)
			wait_for_app(init);
		wait_for(init);
	}
	die_with_caller();
	return 0;
}

int init_begin(struct failure *failure)
{
	return begin(false, failure);
}

int init_begin_as_app(struct failure *failure)
{
	return begin(true, failure);
}

static void give_signals_back(void)
{
	sigaction(SIGCHLD, &state.child, NULL);
	sigprocmask(SIG_SETMASK, &state.mask, NULL);
}

void init_become(void)
{
	die_with_caller();
	give_signals_back();
}

/* Returns true when the app has ended. */
static bool collect(pid_t app)
{
	int status;
	pid_t child;

	while ((child = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (child != app)
			continue;
		const struct note note = { WIFSTOPPED(status), status };
		(void)!write(state.note, &note, sizeof note);
		if (!note.stopped)
			return true;
	}
	return false;
}

static void serve(pid_t app)
{
	struct pollfd end = { .fd = open_signals(), .events = POLLIN };

	while (!collect(app)) {
		while (poll(&end, 1, -1) < 0 && errno == EINTR) {
		}
		pass_on(end.fd, app);
	}
	_exit(0);
}

int init_fork(struct failure *failure)
{
	/* Once more: the kernel forgets it when a process becomes another user. */
	die_with_caller();
	pid_t app = fork();

	if (app < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "process of the app");
	if (app > 0) {
		keep_only_note();
		serve(app);
	}
	give_signals_back();
	return 0;
}
