#include "base/inherited.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_LEAST (256u << 10) /* bytes */

#define BIT(number) (UINT64_C(1) << ((number)-1))

/* Those that end a program by default, can be caught, and do not tell of a fault in it. */
#define ENDINGS                                                                                  \
	(BIT(SIGHUP) | BIT(SIGINT) | BIT(SIGQUIT) | BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(SIGALRM) | \
	 BIT(SIGTERM) | BIT(SIGXCPU) | BIT(SIGVTALRM) | BIT(SIGPROF) | BIT(SIGIO) | BIT(SIGPWR))

#define OF_A_GROUP (ENDINGS | BIT(SIGPIPE) | BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))

/*
 * System calls: the libc's functions leave out the signals that it uses itself, which are the
 * caller's like all others.
 */
#define SET_BYTES sizeof(uint64_t)

/* Begins with the handler; the rest counts for no disposition that exec keeps. */
struct action {
	uint64_t handler, flags, restorer, mask;
};

enum {
	DEFAULT, /* SIG_DFL */
	IGNORED, /* SIG_IGN */
	UNTOUCHED
};

/* Returns what it was. */
static uint64_t dispose(int number, uint64_t handler)
{
	const struct action action = { .handler = handler };
	struct action old = { 0 };

	syscall(SYS_rt_sigaction, number, handler == UNTOUCHED ? NULL : &action, &old, SET_BYTES);
	return old.handler;
}

uint64_t inherited_mask(int how, uint64_t set)
{
	uint64_t old = 0;

	syscall(SYS_rt_sigprocmask, how, &set, &old, SET_BYTES);
	return old;
}

static void take_signals(struct inherited *inherited)
{
	uint64_t pending = 0;

	inherited->blocked = inherited_mask(SIG_BLOCK, 0);
	inherited->file_size = UNTOUCHED;
	syscall(SYS_rt_sigpending, &pending, SET_BYTES);
	if (pending & BIT(SIGXFSZ))
		return;
	inherited->file_size = dispose(SIGXFSZ, IGNORED);
	inherited_mask(SIG_UNBLOCK, BIT(SIGXFSZ));
}

int inherited_take(struct inherited *inherited, struct failure *failure)
{
	struct rlimit stack;

	/* To read and to write fails as with one that is closed. */
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/", O_PATH | O_CLOEXEC);
	if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur < STACK_LEAST)
		return fail(failure, FUSELAGE_E_LIMIT,
			    "stack: expected %u KiB, found %u (ulimit -s)", STACK_LEAST >> 10,
			    (unsigned)(stack.rlim_cur >> 10));
	inherited->umask = umask(022);
	inherited->securebits = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	take_signals(inherited);
	return 0;
}

void inherited_give_back(const struct inherited *inherited)
{
	dispose(SIGXFSZ, inherited->file_size);
	inherited_mask(SIG_SETMASK, inherited->blocked);
	if (inherited->securebits > 0)
		prctl(PR_SET_SECUREBITS, inherited->securebits, 0, 0, 0);
	umask(inherited->umask);
}

uint64_t inherited_endings(void)
{
	uint64_t endings = ENDINGS & ~inherited_mask(SIG_BLOCK, 0);

	for (int number = 1; number < 32; number++)
		if (dispose(number, UNTOUCHED) != DEFAULT)
			endings &= ~BIT(number);
	return endings;
}

static void set_all(uint64_t which, uint64_t handler)
{
	for (int number = 1; which; number++, which >>= 1)
		if (which & 1)
			dispose(number, handler);
	inherited_mask(SIG_SETMASK, 0);
}

void inherited_reset_signals(void)
{
	set_all(UINT64_MAX, DEFAULT);
}

void inherited_leave(void)
{
	setsid();
	set_all(OF_A_GROUP, IGNORED);
}
