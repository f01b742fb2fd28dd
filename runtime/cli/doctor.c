#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "start/home.h"
#include "cli/kernel_config.h"
#include "start/mount_archives.h"
#include "start/on_host.h"
#include "generated/names.h"

#define MOUNT_ROOT 0x2000 /* STATX_ATTR_MOUNT_ROOT of linux/stat.h */

#define NAME(name, shared, host) #name,
static const char *const strategies[] = { FUSELAGE_STRATEGIES(NAME) };

#define CAUSE(name) #name,
static const char *const causes[] = { FUSELAGE_CAUSES(CAUSE) };

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)

/* What one attempt told. */
struct finding {
	double milliseconds;
	struct failure failure; /* none when it works */
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

/* The root is a folder of a mount: Linux 5.8 and later say so. */
static bool in_chroot(void)
{
	struct statx st;

	return syscall(SYS_statx, AT_FDCWD, "/", 0, 0, &st) == 0 &&
	       (st.stx_attributes_mask & ~st.stx_attributes & MOUNT_ROOT);
}

/* Who refuses namespaces here. */
static enum fuselage_cause who_refuses_namespaces(void)
{
	if (in_chroot())
		return FUSELAGE_CAUSE_CHROOT;
	if (file_says("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
		return FUSELAGE_CAUSE_APPARMOR;
	if (file_says("/proc/sys/kernel/unprivileged_userns_clone", "0"))
		return FUSELAGE_CAUSE_USERNS_CLONE;
	if (file_says("/proc/sys/user/max_user_namespaces", "0"))
		return FUSELAGE_CAUSE_USERNS_LIMIT;
	return status_says("Seccomp:\t2") ? FUSELAGE_CAUSE_SECCOMP : FUSELAGE_CAUSE_NAMESPACE;
}

/* What a look at the machine adds to what the attempt knew. */
static void look_closer(struct failure *failure)
{
	if (failure->cause == FUSELAGE_CAUSE_NAMESPACE)
		failure->cause = who_refuses_namespaces();
	else if (failure->cause == FUSELAGE_CAUSE_KERNEL_SQUASHFS &&
		 !file_has("/proc/filesystems", "\tsquashfs\n"))
		failure->cause = FUSELAGE_CAUSE_SQUASHFS_MISSING;
}

/* The kernel refused to mount an image that our own reader finds sound. */
static const char *advise_squashfs(const struct start *start, int error)
{
	static char advice[160];
	unsigned compressor = start->invocation.archives[0].fs.super.compressor;
	char option[24];

	int has = error == EINVAL ? kernel_has_codec(compressor, option) : 1;
	if (has > 0)
		return "see the kernel's log: dmesg | grep -i squashfs";
	snprintf(advice, sizeof advice,
		 "%s kernel without %s: another one, or an image packed with --compression gzip",
		 has < 0 ? "perhaps a" : "a", option);
	return advice;
}

/* The limits of namespaces and of mounts have the same errno. */
static bool is_disk_full(const struct failure *failure)
{
	return (failure->error == ENOSPC || failure->error == EDQUOT) &&
	       (failure->code == FUSELAGE_E_HOME_UNUSABLE ||
		failure->cause == FUSELAGE_CAUSE_EXTRACTION);
}

/* What the user, or whoever runs the machine, can do about it. */
static const char *advise(const struct start *start, const struct failure *failure)
{
	if (is_disk_full(failure))
		return "make room, or set FUSELAGE_HOME to a folder of another file system";
	/* No strategy was refused: the code says what to do, whichever is taken. */
	if (failure->code != FUSELAGE_E_MOUNT_REFUSED && failure->code != FUSELAGE_E_NAMESPACE)
		return fuselage_failures[failure->code].hint;
	switch (failure->cause) {
#define ADVICE(name, advice)        \
	case FUSELAGE_CAUSE_##name: \
		return advice;
		FUSELAGE_ADVICES(ADVICE)
	case FUSELAGE_CAUSE_KERNEL_SQUASHFS:
		return advise_squashfs(start, failure->error);
	case FUSELAGE_CAUSE_NONE:
	case FUSELAGE_CAUSE_COUNT:
		break;
	}
	return "see the reason";
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
	if (home_prepare(start->home, &start->identity, &failure) == 0 &&
	    mount_archives(start, &failure) == 0)
		return 0;
	/* What the strategy itself said, without what a start adds for those who asked for it. */
	(void)failure_send(attempt->out,
			   start->mounting.refused.code ? &start->mounting.refused : &failure);
	return 1;
}

static int examine(struct start *start, const char *strategy, struct finding *finding,
		   struct failure *failure)
{
	double began = clock_milliseconds();
	struct failure *refusal = &finding->failure;
	int ends[2];

	*finding = (struct finding){ 0 };
	if (start->identity.kind == NAMESPACE_USER && strcmp(strategy, "loop") == 0) {
		fail(refusal, FUSELAGE_E_MOUNT_REFUSED,
		     "needs CAP_SYS_ADMIN (running as uid %u without it)",
		     (unsigned)start->identity.caller.uid);
		fail_cause(refusal, FUSELAGE_CAUSE_ADMIN);
		finding->advice = advise(start, refusal);
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
	if (status == 0)
		return 0;
	if (!failure_receive(in, refusal)) {
		failure_clear(refusal);
		fail(refusal, FUSELAGE_E_MOUNT_REFUSED, "the attempt ended with status %d", status);
	}
	look_closer(refusal);
	finding->advice = advise(start, refusal);
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
	bool works = finding->failure.code == FUSELAGE_OK;

	printf("  { \"strategy\": \"%s\", \"works\": %s, \"milliseconds\": %.2f", strategy,
	       works ? "true" : "false", finding->milliseconds);
	if (!works) {
		printf(", \"cause\": \"%s\", \"reason\": ", causes[finding->failure.cause]);
		print_json_string(finding->failure.text);
		printf(", \"advice\": ");
		print_json_string(finding->advice);
	}
	printf(" }%s\n", last ? "" : ",");
}

static void print_line(const char *strategy, const struct finding *finding)
{
	if (finding->failure.code == FUSELAGE_OK)
		printf("%-11s works (%.1f ms)\n", strategy, finding->milliseconds);
	else
		printf("%-11s refused: %s\n%-11s   to do: %s\n", strategy, finding->failure.text,
		       "", finding->advice);
}

/* What a holder says that a start would meet, by whichever way it would go. */
static char ask_holder(struct start *start)
{
	struct failure ignored = { 0 };
	struct identity identity = start->identity;
	char kept = 0;

	start->mounting.type = "auto";
	if (home_prepare(start->home, &identity, &ignored) < 0)
		return 0;
	if (on_host_is_better(start)) {
		on_host_stand(start, &identity);
		start->mounting.type = "fusermount";
	}
	for (int i = 0; i < 2 && !kept; i++) {
		const struct share_terms terms = mounting_terms(&start->mounting);
		kept = share_ask(&start->mounting.share, &identity, &terms,
				 start->invocation.archives);
		/* A start that was refused by fusermount3 has gone the other way. */
		identity = start->identity;
		start->mounting.type = "auto";
	}
	return kept;
}

int doctor_run(struct start *start, bool json, struct failure *failure)
{
	bool any = false;

	if (json)
		puts("[");
	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		struct finding finding;
		if (examine(start, strategies[i], &finding, failure) < 0)
			return -1;
		any |= finding.failure.code == FUSELAGE_OK;
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
	char kept = ask_holder(start);
	if (kept)
		fputs(kept == SHARE_LOST ? "lost        the server of running apps was killed\n" :
					   "shared      a mount of it is kept\n",
		      out);
	if (!any)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "no strategy works here");
	return 0;
}
