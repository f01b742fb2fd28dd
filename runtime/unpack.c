#include "unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/match.h"
#include "base/owned.h"
#include "base/remove.h"
#include "merge.h"
#include "squashfs/extract.h"

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
	interrupted = number;
}

static bool is_wanted(void *context, const char *path)
{
	for (char **pattern = context; *pattern; pattern++)
		if (path_matches(*pattern, path))
			return true;
	return false;
}

static int check_target(const char *target, bool merged, struct failure *failure)
{
	struct stat st;

	if (lstat(target, &st) < 0)
		return errno == ENOENT ?
			       0 :
			       fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", target);
	if (!S_ISDIR(st.st_mode))
		return fail(failure, FUSELAGE_E_EXTRACT_EXISTS,
			    "%s: expected nothing or %s directory, found a file", target,
			    merged ? "a" : "an empty");
	if (merged)
		return 0;

	DIR *dir = opendir(target);
	int entries = 0;
	while (dir && readdir(dir))
		entries++;
	if (dir)
		closedir(dir);
	if (!dir)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", target);
	if (entries > 2)
		return fail(failure, FUSELAGE_E_EXTRACT_EXISTS,
			    "%s: expected nothing or an empty directory, found %d entries", target,
			    entries - 2);
	return 0;
}

static int describe(const struct bundle *bundle, const char *target,
		    const struct extract_report *report, struct failure *failure)
{
	if (interrupted)
		return fail(failure, FUSELAGE_E_EXTRACT_FAILED, "%s: interrupted, nothing is left",
			    target);
	if (report->error)
		return fail(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: /%.200s: %s (%s)", bundle->path,
			    report->path, sqfs_strerror(report->error), sqfs_fault(bundle->reader));
	errno = report->system_error;
	return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s/%.300s", target, report->path);
}

static void warn_skipped(const struct extract_report *report)
{
	if (report->skipped_devices)
		fprintf(stderr,
			"fuselage: %llu device nodes were left out (only root makes them)\n",
			(unsigned long long)report->skipped_devices);
	if (report->skipped_xattrs)
		fprintf(stderr,
			"fuselage: %llu extended attributes were refused here and left out\n",
			(unsigned long long)report->skipped_xattrs);
}

static void catch_signals(void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* Gives the complete tree its name. */
static int publish(int tree, const char *staging, const char *target, bool merged,
		   struct failure *failure)
{
	char name[NAME_MAX + 1] = "";

	if (rename(staging, target) == 0)
		return 0;
	if (!merged || (errno != ENOTEMPTY && errno != EEXIST))
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", target);
	OWNED_FD to = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || merge_directory(tree, to, name, sizeof name) < 0)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s: %s", target, name);
	remove_tree(AT_FDCWD, staging);
	return 0;
}

int unpack(struct bundle *bundle, const char *target, const struct unpack_wish *wish,
	   struct failure *failure)
{
	bool root = geteuid() == 0;
	struct extract_options options = {
		.owners = root,
		.devices = root,
		.xattrs = true,
		.interrupted = &interrupted,
		.wanted = wish->patterns && wish->patterns[0] ? is_wanted : NULL,
		.wanted_context = wish->patterns,
	};
	struct extract_report report;
	char staging[PATH_MAX];
	size_t length = strlen(target);

	while (length > 1 && target[length - 1] == '/')
		length--;
	if (length == 0 || length + sizeof ".XXXXXX" > sizeof staging)
		return fail(failure, FUSELAGE_E_EXTRACT_FAILED, "\"%.80s\": not a usable path",
			    target);
	if (check_target(target, wish->merge, failure) < 0)
		return -1;
	snprintf(staging, sizeof staging, "%.*s.XXXXXX", (int)length, target);
	catch_signals(note_interrupt);
	if (!mkdtemp(staging))
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", staging);

	int result = -1;
	OWNED_FD dir = open(staging, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", staging);
	else if (extract_tree(bundle->reader, dir, &options, &report) < 0)
		describe(bundle, target, &report, failure);
	else
		result = publish(dir, staging, target, wish->merge, failure);
	if (result < 0)
		remove_tree(AT_FDCWD, staging);
	else
		warn_skipped(&report);
	catch_signals(SIG_DFL);
	if (interrupted)
		raise(interrupted);
	return result;
}
