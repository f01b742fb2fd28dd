/*
 * What a program inherits from whoever starts it:
 *
 *   state show                     prints all of it to descriptor 3, one kind a line
 *   state with KIND... -- COMMAND  sets kinds of it in odd ways, then becomes COMMAND
 *
 * Raw system calls where the libc has an opinion of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUT 3
#define SIGNALS 64
#define SET_BYTES 8
#define KEYCTL_GET_KEYRING_ID 0
#define KEYCTL_JOIN_SESSION_KEYRING 1
#define KEY_SPEC_SESSION_KEYRING (-3)
#define IOPRIO_OF_PROCESS 1

struct action {
	uint64_t handler, flags, restorer, mask;
};

static void say(const char *format, ...)
{
	char line[4096];
	va_list arguments;

	va_start(arguments, format);
	int n = vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	if (write(OUT, line, (size_t)n) != n)
		_exit(99);
}

static void die(const char *what)
{
	dprintf(STDERR_FILENO, "state: %s: %s\n", what, strerror(errno));
	_exit(98);
}

static void show_signals(void)
{
	char kinds[SIGNALS + 1] = { 0 };
	uint64_t set = 0;

	for (int i = 1; i <= SIGNALS; i++) {
		struct action action = { 0 };
		syscall(SYS_rt_sigaction, i, NULL, &action, SET_BYTES);
		kinds[i - 1] = action.handler == 0 ? '-' : action.handler == 1 ? 'I' : 'H';
	}
	say("dispositions %s\n", kinds);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, SET_BYTES);
	say("blocked %016llx\n", (unsigned long long)set);
	syscall(SYS_rt_sigpending, &set, SET_BYTES);
	say("pending %016llx\n", (unsigned long long)set);
}

/* What is left is rounded up to minutes: a start takes less. */
static void show_timers(void)
{
	static const char *const names[] = { "real", "virtual", "profile" };

	for (int which = 0; which < 3; which++) {
		struct itimerval timer;
		getitimer(which, &timer);
		say("timer %s: %ld min, every %ld s %ld us\n", names[which],
		    (long)(timer.it_value.tv_sec + (timer.it_value.tv_usec > 0) + 59) / 60,
		    (long)timer.it_interval.tv_sec, (long)timer.it_interval.tv_usec);
	}
}

static void show_file(const char *title, const char *path)
{
	char text[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
	say("%s %s\n", title, n < 0 ? strerror(errno) : text);
}

/* Lines of /proc/self/status that begin so. */
static void show_status(const char *const *fields)
{
	char line[8192];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof line, file))
		for (const char *const *field = fields; *field; field++)
			if (strncmp(line, *field, strlen(*field)) == 0)
				say("status %s", line);
	if (file)
		fclose(file);
}

static void show_limits(void)
{
	for (int which = 0; which < RLIM_NLIMITS; which++) {
		uint64_t limit[2] = { 0 };
		syscall(SYS_prlimit64, 0, which, NULL, limit);
		say("limit %d: %lld %lld\n", which, (long long)limit[0], (long long)limit[1]);
	}
}

static void show_scheduling(void)
{
	uint32_t attributes[14] = { 0 };
	unsigned long processors[16] = { 0 };
	long policy[1] = { 0 };
	unsigned long nodes[16] = { 0 };

	say("nice %d\n", getpriority(PRIO_PROCESS, 0));
	syscall(SYS_sched_getattr, 0, attributes, 48, 0);
	say("policy %u, flags %u, priority %u\n", attributes[1], attributes[2], attributes[5]);
	syscall(SYS_sched_getaffinity, 0, sizeof processors, processors);
	say("affinity %lx %lx\n", processors[0], processors[1]);
	say("ioprio %ld\n", syscall(SYS_ioprio_get, IOPRIO_OF_PROCESS, 0));
	say("timer slack %d\n", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
	if (syscall(SYS_get_mempolicy, policy, nodes, sizeof nodes * 8, NULL, 0) == 0)
		say("memory policy %d %lx\n", (int)policy[0], nodes[0]);
	show_file("oom_score_adj", "/proc/self/oom_score_adj");
}

static void show_flags(void)
{
	int value = -1;

	say("umask %04o\n", umask(0));
	say("personality %08x\n", (unsigned)personality(0xffffffff));
	say("dumpable %d\n", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0);
	say("parent-death signal %d\n", value);
	prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
	say("subreaper %d\n", value);
	say("no_new_privs %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say("securebits %x\n", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
	say("keepcaps %d\n", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
	say("no huge pages %d\n", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	say("write or execute %d\n", prctl(66 /* PR_GET_MDWE */, 0, 0, 0, 0));
	say("speculation %d %d\n", prctl(PR_GET_SPECULATION_CTRL, 0, 0, 0, 0),
	    prctl(PR_GET_SPECULATION_CTRL, 1, 0, 0, 0));
	say("machine check %d\n", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
	show_file("core filter", "/proc/self/coredump_filter");
}

/* Of this process; those of others by their number. */
static void show_group(void)
{
	pid_t self = getpid(), session = getsid(0), group = getpgrp();
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);

	say("session %d, group %d\n", session == self ? 0 : session, group == self ? 0 : group);
	if (terminal >= 0)
		say("terminal, foreground %d\n", tcgetpgrp(terminal) == group);
	else
		say("terminal: %s\n", strerror(errno));
	if (terminal >= 0)
		close(terminal);
	const char *joined = getenv("STATE_KEYRING");
	long ring = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	if (joined)
		say("session keyring %s\n", atol(joined) == ring ? "stays" : "is another one");
}

/* Before anything else here opens one. */
static void show_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		struct stat st;
		if (flags < 0)
			continue;
		fstat(fd, &st);
		say("descriptor %d: flags %d %o, mode %o, at %ld\n", fd, flags, fcntl(fd, F_GETFL),
		    (unsigned)st.st_mode & S_IFMT, (long)lseek(fd, 0, SEEK_CUR));
	}
}

/* Every child that is found, with its status; one that is alive is waited for. */
static void show_children(void)
{
	int status;
	pid_t child;

	while ((child = waitpid(-1, &status, 0)) > 0)
		say("child ended with %x\n", (unsigned)status);
	say("no more children: %s\n", strerror(errno));
}

static void show_place(void)
{
	char path[4096];

	say("folder %s\n", getcwd(path, sizeof path) ? path : strerror(errno));
	say("children %s\n", getenv("STATE_CHILDREN") ? "are waited for" : "are not asked for");
	if (getenv("STATE_CHILDREN"))
		show_children();
}

static int show(void)
{
	static const char *const fields[] = { "Cap", "Seccomp:", "Uid:", "Gid:", "Groups:", NULL };

	show_descriptors();
	show_place();
	show_signals();
	show_timers();
	show_limits();
	show_scheduling();
	show_flags();
	show_group();
	show_file("timers", "/proc/self/timers");
	show_status(fields);
	say("end\n");
	return 0;
}

static void dispose(int number, uint64_t handler, uint64_t flags)
{
	const struct action action = { .handler = handler, .flags = flags };

	syscall(SYS_rt_sigaction, number, &action, NULL, SET_BYTES);
}

static void block(uint64_t set)
{
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, SET_BYTES);
}

/* "17", "all": a set of signals. */
static uint64_t set_of(const char *text)
{
	return strcmp(text, "all") == 0 ? UINT64_MAX : UINT64_C(1) << (atoi(text) - 1);
}

static void set_timer(int which, const char *text)
{
	long milliseconds = atol(text);
	struct itimerval timer = { { 7, 5 }, { milliseconds / 1000, milliseconds % 1000 * 1000 } };

	if (setitimer(which, &timer, NULL) < 0)
		die("setitimer");
}

/* "7=100" or "7=100,200": the soft one, the hard one. */
static void set_limit(const char *text)
{
	char *end;
	int which = (int)strtol(text, &end, 10);
	uint64_t limit[2];

	limit[0] = limit[1] = strtoull(end + 1, &end, 10);
	if (*end)
		limit[1] = strtoull(end + 1, NULL, 10);
	if (syscall(SYS_prlimit64, 0, which, limit, NULL) < 0)
		die("prlimit");
}

/* A child that lives for so many milliseconds and ends with status 7. */
static void make_child(const char *text)
{
	long milliseconds = atol(text);

	if (fork() != 0)
		return;
	struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	nanosleep(&pause, NULL);
	_exit(7);
}

static void join_keyring(void)
{
	char number[24];
	long ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);

	if (ring < 0)
		die("keyctl");
	snprintf(number, sizeof number, "%ld", ring);
	setenv("STATE_KEYRING", number, 1);
}

static void set_policy(const char *text)
{
	/* size, policy, flags, nice, priority; the rest is the deadline's */
	uint32_t attributes[12] = { 48, (uint32_t)atoi(text), 0, 0, 0 };

	if (strchr(text, 'r'))
		attributes[2] = 1; /* reset on fork */
	if (attributes[1] == SCHED_FIFO || attributes[1] == SCHED_RR)
		attributes[5] = 3;
	if (syscall(SYS_sched_setattr, 0, attributes, 0) < 0)
		die("sched_setattr");
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

static void close_descriptors(const char *list)
{
	for (; *list; list++)
		close(*list - '0');
}

/* A folder that has no name any more. */
static void enter_deleted(void)
{
	char path[] = "/tmp/state.XXXXXX";

	if (!mkdtemp(path) || chdir(path) < 0 || rmdir(path) < 0)
		die(path);
}

static void set_affinity(const char *text)
{
	unsigned long processors[16] = { strtoul(text, NULL, 16) };

	if (syscall(SYS_sched_setaffinity, 0, sizeof processors, processors) < 0)
		die("sched_setaffinity");
}

static void call(long result, const char *what)
{
	if (result < 0)
		die(what);
}

static int number_of(const char *text)
{
	return (int)strtol(text, NULL, 0);
}

static void set_flag(const char *kind, const char *value)
{
	int number = number_of(value);

	if (strcmp(kind, "personality") == 0)
		call(personality((unsigned long)number), kind);
	else if (strcmp(kind, "pdeathsig") == 0)
		call(prctl(PR_SET_PDEATHSIG, number, 0, 0, 0), kind);
	else if (strcmp(kind, "subreaper") == 0)
		call(prctl(PR_SET_CHILD_SUBREAPER, number, 0, 0, 0), kind);
	else if (strcmp(kind, "no_new_privs") == 0)
		call(prctl(PR_SET_NO_NEW_PRIVS, number, 0, 0, 0), kind);
	else if (strcmp(kind, "securebits") == 0)
		call(prctl(PR_SET_SECUREBITS, number, 0, 0, 0), kind);
	else if (strcmp(kind, "dumpable") == 0)
		call(prctl(PR_SET_DUMPABLE, number, 0, 0, 0), kind);
	else if (strcmp(kind, "thp") == 0)
		call(prctl(PR_SET_THP_DISABLE, number, 0, 0, 0), kind);
	else if (strcmp(kind, "slack") == 0)
		call(prctl(PR_SET_TIMERSLACK, number, 0, 0, 0), kind);
	else if (strcmp(kind, "mdwe") == 0)
		call(prctl(65 /* PR_SET_MDWE */, number, 0, 0, 0), kind);
	else if (strcmp(kind, "speculation") == 0) {
		/* A processor that needs no such control has none; the state is compared all the same. */
		int result = prctl(PR_SET_SPECULATION_CTRL, 0, number, 0, 0);
		call(result < 0 && errno == ENXIO ? 0 : result, kind);
	}
	else if (strcmp(kind, "nice") == 0)
		call(setpriority(PRIO_PROCESS, 0, number), kind);
	else if (strcmp(kind, "ioprio") == 0)
		call(syscall(SYS_ioprio_set, IOPRIO_OF_PROCESS, 0, number), kind);
	else if (strcmp(kind, "memory") == 0) /* of node 0 */
		call(syscall(SYS_set_mempolicy, number, &(unsigned long){ 1 }, 8), kind);
	else if (strcmp(kind, "group") == 0)
		call(number ? setsid() : setpgid(0, 0), kind);
	else
		_exit(97);
}

static void set_signal(const char *kind, const char *value)
{
	uint64_t set = set_of(value);

	if (strcmp(kind, "block") == 0) {
		block(set);
		return;
	}
	for (int i = 1; i <= SIGNALS; i++) {
		if (!(set & UINT64_C(1) << (i - 1)))
			continue;
		if (strcmp(kind, "ignore") == 0)
			dispose(i, 1, 0);
		else if (strcmp(kind, "nocldwait") == 0)
			dispose(i, 1, SA_NOCLDWAIT | SA_NOCLDSTOP);
		else
			kill(getpid(), i); /* "pend" */
	}
}

static void set(const char *kind, const char *value)
{
	static const char *const timers[] = { "real", "virtual", "profile" };

	for (int which = 0; which < 3; which++)
		if (strcmp(kind, timers[which]) == 0) {
			set_timer(which, value);
			return;
		}
	if (strcmp(kind, "ignore") == 0 || strcmp(kind, "block") == 0 ||
	    strcmp(kind, "pend") == 0 || strcmp(kind, "nocldwait") == 0)
		set_signal(kind, value);
	else if (strcmp(kind, "umask") == 0)
		umask((mode_t)strtoul(value, NULL, 8));
	else if (strcmp(kind, "limit") == 0)
		set_limit(value);
	else if (strcmp(kind, "child") == 0)
		make_child(value);
	else if (strcmp(kind, "policy") == 0)
		set_policy(value);
	else if (strcmp(kind, "affinity") == 0)
		set_affinity(value);
	else if (strcmp(kind, "oom") == 0)
		write_file("/proc/self/oom_score_adj", value);
	else if (strcmp(kind, "core") == 0)
		write_file("/proc/self/coredump_filter", value);
	else if (strcmp(kind, "keyring") == 0)
		join_keyring();
	else if (strcmp(kind, "close") == 0)
		close_descriptors(value);
	else if (strcmp(kind, "open") == 0)
		call(fcntl(OUT, F_DUPFD, number_of(value)), kind);
	else if (strcmp(kind, "folder") == 0)
		strcmp(value, "deleted") == 0 ? enter_deleted() : call(chdir(value), value);
	else
		set_flag(kind, value);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "show") == 0)
		return show();
	if (argc < 2 || strcmp(argv[1], "with") != 0)
		return 97;
	for (argv += 2; *argv && strcmp(*argv, "--") != 0; argv++) {
		char *value = strchr(*argv, '=');
		if (!value)
			return 97;
		*value = 0;
		set(*argv, value + 1);
	}
	if (!*argv || !argv[1])
		return 97;
	execv(argv[1], argv + 1);
	die(argv[1]);
}
