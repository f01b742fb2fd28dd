#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "start/home.h"
#include "cli/kernel_config.h"
#include "start/mount_archives.h"
#include "generated/names.h"

#define NAME(name, shared, host) #name,
static const char *const strategies[] = { FUSELAGE_STRATEGIES(NAME) };

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)
#define REASON_MAX 800

/* What one attempt told. */
struct finding {
	bool works;
	double milliseconds;
	char reason[REASON_MAX]; /* in words; empty when it works */
	const char *advice;
};

/* The first line of a small file, without its newline; empty when there is none. */
static void read_first_line(const char *path, char *line, size_t size)
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, size - 1);

	line[n > 0 ? n : 0] = 0;
	line[strcspn(line, "\n")] = 0;
}

static bool file_says(const char *path, const char *value)
{
	char line[64];

	read_first_line(path, line, sizeof line);
	return strcmp(line, value) == 0;
}

/* For files of a few lines. */
static bool file_has(const char *path, const char *words)
{
	char text[4096];
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	return find_words(text, words) != NULL;
}

/* A field of /proc/self/status, as in "Seccomp:\t2". */
static bool status_says(const char *field)
{
	return file_has("/proc/self/status", field);
}

static const char *advise_namespace(void)
{
	if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return "an AppArmor profile for this program that allows userns, or sysctl "
		       "kernel.apparmor_restrict_unprivileged_userns=0";
	if (file_says("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return "sysctl kernel.unprivileged_userns_clone=1";
	if (file_says("/proc/sys/user/max_user_namespaces", "0"))
		return "sysctl user.max_user_namespaces=10000";
	if (status_says("Seccomp:\t2"))
		return "a seccomp profile of this container that allows unshare and mount";
	return "ask the administrator to allow user namespaces, or install fuse3 for fusermount3";
}

static const char *advise_fuse(void)
{
	struct stat st;

	if (stat(FUSE_DEVICE, &st) < 0)
		return "modprobe fuse; in a container: --device " FUSE_DEVICE;
	if (access(FUSE_DEVICE, R_OK | W_OK) < 0)
		return "chmod 0666 " FUSE_DEVICE ", as distributions have it";
	return NULL;
}

/* The kernel refused to mount an image that our own reader finds sound. */
static const char *advise_squashfs(const struct start *start, const char *reason)
{
	static char advice[160];
	unsigned compressor = start->invocation.archives[0].fs.super.compressor;
	char option[24];

	if (!file_has("/proc/filesystems", "\tsquashfs\n"))
		return "modprobe squashfs: the kernel has it neither built in nor loaded";
	int has = find_words(reason, strerror(EINVAL)) ? kernel_has_codec(compressor, option) : 1;
	if (has > 0)
		return "see the kernel's log: dmesg | grep -i squashfs";
	snprintf(advice, sizeof advice,
		 "%s kernel without %s: another one, or an image packed with --compression gzip",
		 has < 0 ? "perhaps a" : "a", option);
	return advice;
}

static const char *advise_loop(const struct start *start, const char *reason)
{
	if (find_words(reason, "CAP_SYS_ADMIN"))
		return "run as root, or install the program setuid-root";
	if (find_words(reason, "squashfs ("))
		return advise_squashfs(start, reason);
	if (find_words(reason, "/dev/loop"))
		return access("/sys/devices/virtual/misc/loop-control", F_OK) < 0 ?
			       "modprobe loop: the kernel has no loop devices" :
			       "in a container: --privileged, or --device for /dev/loop-control "
			       "and "
			       "each /dev/loopN";
	return "another strategy is taken";
}

static const char *advise_extract(const char *reason)
{
	if (find_words(reason, "noexec"))
		return "set FUSELAGE_HOME to a folder of a file system that is not mounted noexec";
	if (find_words(reason, strerror(ENOSPC)) || find_words(reason, strerror(EDQUOT)))
		return "make room, or set FUSELAGE_HOME to a folder of another file system";
	if (find_words(reason, strerror(EFBIG)))
		return "ulimit -f unlimited";
	return "set FUSELAGE_HOME to a folder of your own that you can write to";
}

/* What the user, or whoever runs the machine, can do about it. */
static const char *advise(const struct start *start, const char *strategy, const char *reason)
{
	const char *fuse = advise_fuse();

	if (strcmp(strategy, "loop") == 0)
		return advise_loop(start, reason);
	if (strcmp(strategy, "fusermount") == 0) {
		if (find_words(reason, "not installed"))
			return "install fuse3";
		if (status_says("NoNewPrivs:\t1"))
			return "no_new_privs is set: a setuid helper has no effect here";
		return fuse ? fuse :
			      "fusermount3 has to be setuid-root, and not on a nosuid file system";
	}
	if (find_words(reason, "namespace"))
		return advise_namespace();
	if (strcmp(strategy, "extract") == 0)
		return advise_extract(reason);
	return fuse ? fuse : "see the reason";
}

struct attempt {
	struct start *start;
	const char *strategy;
	int out;
};

/* The child mounts and ends; what it mounted ends with it. It says nothing when all is well. */
static int attempt_main(void *argument)
{
	const struct attempt *attempt = argument;
	struct start *start = attempt->start;
	struct failure failure = { 0 };

	start->mounting.type = attempt->strategy;
	if (home_prepare(start->home, &start->identity, false, &failure) == 0 &&
	    mount_archives(start, &failure) == 0)
		return 0;
	(void)write_full(attempt->out, failure.text, strlen(failure.text));
	return 1;
}

/* The strategy's own words stand behind its name, "NAME: " or "--mount-type=NAME: ". */
static void keep_own_words(char *reason, const char *strategy)
{
	char label[32];
	const char *own;

	snprintf(label, sizeof label, "%s: ", strategy);
	own = find_words(reason, label);
	if (own)
		memmove(reason, own + strlen(label), strlen(own + strlen(label)) + 1);
	for (char *c = reason; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

static int examine(struct start *start, const char *strategy, struct finding *finding,
		   struct failure *failure)
{
	double began = clock_milliseconds();
	int ends[2];

	*finding = (struct finding){ 0 };
	if (start->identity.kind == NAMESPACE_USER && strcmp(strategy, "loop") == 0) {
		snprintf(finding->reason, sizeof finding->reason,
			 "needs CAP_SYS_ADMIN (running as uid %u without it)",
			 (unsigned)start->identity.caller.uid);
		finding->advice = advise(start, strategy, finding->reason);
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(failure, FUSELAGE_E_OUT_OF_MEMORY, "pipe");
	OWNED_FD in = ends[0], out = ends[1];
	struct attempt attempt = { start, strategy, out };
	int status = child_run(attempt_main, &attempt);
	if (status < 0)
		return fail_errno(failure, FUSELAGE_E_OUT_OF_MEMORY, "fork");
	close(steal_fd(&out));
	finding->milliseconds = clock_milliseconds() - began;
	finding->works = status == 0;
	if (finding->works)
		return 0;
	ssize_t n = read(in, finding->reason, sizeof finding->reason - 1);
	finding->reason[n > 0 ? n : 0] = 0;
	keep_own_words(finding->reason, strategy);
	finding->advice = advise(start, strategy, finding->reason);
	return 0;
}

static void print_json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20)
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_json(const char *strategy, const struct finding *finding, bool last)
{
	printf("  { \"strategy\": \"%s\", \"works\": %s, \"milliseconds\": %.2f", strategy,
	       finding->works ? "true" : "false", finding->milliseconds);
	if (!finding->works) {
		printf(", \"reason\": ");
		print_json_string(finding->reason);
		printf(", \"advice\": ");
		print_json_string(finding->advice);
	}
	printf(" }%s\n", last ? "" : ",");
}

static void print_line(const char *strategy, const struct finding *finding)
{
	if (finding->works)
		printf("%-11s works (%.1f ms)\n", strategy, finding->milliseconds);
	else
		printf("%-11s refused: %s\n%-11s   to do: %s\n", strategy, finding->reason, "",
		       finding->advice);
}

int doctor_run(struct start *start, bool json, struct failure *failure)
{
	struct failure ignored = { 0 };
	bool any = false;

	if (json)
		puts("[");
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		struct finding finding;
		if (examine(start, strategies[i], &finding, failure) < 0)
			return -1;
		any |= finding.works;
		if (json)
			print_json(strategies[i], &finding, i + 1 == STRATEGY_COUNT);
		else
			print_line(strategies[i], &finding);
		fflush(stdout);
	}
	if (json)
		puts("]");
	/* Not in the array, which is of strategies. */
	FILE *out = json ? stderr : stdout;
	start->mounting.type = "auto";
	const struct share_terms terms = mounting_terms(&start->mounting);
	char kept = home_prepare(start->home, &start->identity, false, &ignored) < 0 ?
			    0 :
			    share_ask(&start->mounting.share, &start->identity, &terms,
				      start->invocation.archives);
	if (kept)
		fputs(kept == SHARE_LOST ? "lost        the server of running apps was killed\n" :
					   "shared      a mount of it is kept\n",
		      out);
	if (!any)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "no strategy works here");
	return 0;
}
