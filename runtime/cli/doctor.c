#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/show.h"
#include "base/bytes.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "start/fence.h"
#include "start/home.h"
#include "cli/kernel_config.h"
#include "cli/starts_report.h"
#include "start/mount_archives.h"
#include "start/on_host.h"
#include "flavour/flavour.h"
#include "generated/names.h"
#include "root/doctor.h"

#define MOUNT_ROOT 0x2000 /* STATX_ATTR_MOUNT_ROOT of linux/stat.h */

#define NAME(name, shared, host) #name,
static const char *const strategies[] = { FUSELAGE_STRATEGIES(NAME) };

#define CAUSE(name) #name,
static const char *const causes[] = { FUSELAGE_CAUSES(CAUSE) };

#define STRATEGY_COUNT (sizeof strategies / sizeof *strategies)

#define PLACE(name, shared, host) STRATEGY_##name,
enum {
	FUSELAGE_STRATEGIES(PLACE)
};

/* What one attempt told. */
struct finding {
	double milliseconds;
	bool works;
	bool contained; /* the app would be in a user namespace of its own */
	struct failure failure; /* why it does not work, or why it is contained; or none */
	const char *advice; /* for what does not work */
};

#define CONTAINED 2 /* exit status of an attempt that works like that */

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
		return failure_known(failure->code)->hint;
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

/* The child mounts and ends; what it mounted ends with it. */
static int attempt_main(void *argument)
{
	const struct attempt *attempt = argument;
	struct start *start = attempt->start;
	struct failure failure = { 0 };

	start->mounting.type = attempt->strategy;
	start->keep.bundle = NULL; /* nobody runs what is in it */
	if (home_prepare(start->home, &start->identity, &failure) == 0 &&
	    mount_archives(start, &failure) == 0) {
		if (start->identity.kind != NAMESPACE_USER)
			return 0;
		if (start->kept_out.code != FUSELAGE_OK)
			(void)failure_send(attempt->out, &start->kept_out);
		return CONTAINED;
	}
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
	finding->works = status == 0 || status == CONTAINED;
	finding->contained = status == CONTAINED;
	bool told = failure_receive(in, refusal);
	if (finding->works)
		return 0;
	if (!told) {
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
	bool works = finding->works;

	printf("  { \"strategy\": \"%s\", \"works\": %s, \"milliseconds\": %.2f", strategy,
	       works ? "true" : "false", finding->milliseconds);
	if (works) {
		printf(", \"userNamespace\": \"%s\"", finding->contained ? "new" : "inherited");
	} else {
		printf(", \"cause\": \"%s\", \"reason\": ", causes[finding->failure.cause]);
		print_json_string(finding->failure.text);
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
		printf("%-11s refused: %s\n%-11s   to do: %s\n", strategy, finding->failure.text,
		       "", finding->advice);
}

/* What a holder says that a start would meet, by whichever way it would go. */
static char ask_holder(struct start *start)
{
	struct failure ignored = { 0 };
	struct identity identity = start->identity;
	const char *ways[ON_HOST_WAYS];
	char kept = 0;

	start->mounting.type = "auto";
	if (home_prepare(start->home, &identity, &ignored) < 0)
		return 0;
	if (on_host_ways(start, ways) > 0) {
		on_host_stand(start, &identity);
		start->mounting.type = ways[0];
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

/* Whether what the app needs of its caller's user namespace will be there. */
static void print_needs(FILE *out, const struct start *start, bool contained)
{
	bool no_rights = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0 &&
			 find_words(start->needs, "setuid");
	const char *outcome = "as outside of the bundle";

	if (contained)
		outcome = "not in a new user namespace";
	else if (no_rights)
		outcome = "setuid gives no rights here, no_new_privs is set";
	fprintf(out, "%-11s ", "needs");
	show_print(out, start->needs);
	fprintf(out, ": %s\n", outcome);
}

/* Why the app is in the namespace of its caller. */
static const char *explain_inherited(struct start *start, const struct finding *fusermount)
{
	const char *ways[ON_HOST_WAYS];

	if (start->identity.kind == NAMESPACE_PRIVILEGED)
		return "a process that may mount needs no other";
	start->mounting.type = "auto";
	if (fusermount->works && on_host_ways(start, ways) > 0 &&
	    strcmp(ways[0], "fusermount") == 0)
		return "fusermount3 mounts outside of the app";
	return "the files are extracted to the disk, and nothing is mounted";
}

/*
 * Which user namespace the app is in when it is started as usual, and why: `usual` is what came of
 * such a start, `fusermount` of the strategy that would keep it in the caller's.
 */
static void print_namespace(FILE *out, struct start *start, const struct finding *usual,
			    const struct finding *fusermount)
{
	const struct failure *why = usual->failure.code != FUSELAGE_OK ? &usual->failure :
									 &fusermount->failure;
	const char *obstacle = on_host_obstacle(start);
	bool refused = !obstacle && why->code != FUSELAGE_OK;

	if (!usual->works)
		return;
	if (!usual->contained)
		fprintf(out, "%-11s inherited: %s\n", "userns",
			explain_inherited(start, fusermount));
	else if (refused)
		fprintf(out, "%-11s new: %s\n%-11s   to do: %s\n", "userns", why->text, "",
			advise(start, why));
	else
		fprintf(out, "%-11s new: %s\n", "userns",
			obstacle ? obstacle : "no set-id fusermount3 is in PATH");
	if (start->needs)
		print_needs(out, start, usual->contained);
}

/* Each strategy by itself. Returns whether any works, or -1. */
static int try_all(struct start *start, bool json, struct finding findings[STRATEGY_COUNT],
		   struct failure *failure)
{
	bool any = false;

	for (size_t i = 0; i < STRATEGY_COUNT; i++) {
		if (examine(start, strategies[i], &findings[i], failure) < 0)
			return -1;
		any |= findings[i].works;
		if (json)
			print_json(strategies[i], &findings[i], i + 1 == STRATEGY_COUNT);
		else
			print_line(strategies[i], &findings[i]);
		fflush(stdout);
	}
	return any;
}

int doctor_run(struct start *start, bool json, struct failure *failure)
{
	static struct finding findings[STRATEGY_COUNT], usual;
	int any;

	if (json)
		puts("[");
	any = try_all(start, json, findings, failure);
	if (any < 0 || examine(start, "auto", &usual, failure) < 0)
		return -1;
	if (json)
		puts("]");
	/* Not in the array, which is of strategies. */
	FILE *out = json ? stderr : stdout;
	print_namespace(out, start, &usual, &findings[STRATEGY_fusermount]);
	char kept = ask_holder(start);
	if (kept)
		fputs(kept == SHARE_LOST ? "lost        the server of running apps was killed\n" :
					   "shared      a mount of it is kept\n",
		      out);
	keep_tell(start, out);
	starts_report(out, start);
	if (flavour_is_runner && start->root)
		root_doctor(start->root, start, out);
	if (flavour_is_runner)
		fence_report(start, out);
	if (!any)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "no strategy works here");
	return 0;
}
