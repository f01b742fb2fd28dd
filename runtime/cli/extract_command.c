#include "cli/extract_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/image_failure.h"
#include "base/inherited.h"
#include "libc/match.h"
#include "base/owned.h"
#include "base/private_directory.h"
#include "base/remove.h"
#include "base/merge.h"
#include "squashfs/extract.h"

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
	interrupted = number;
}

/* Patterns, those first that something has matched. */
struct wanted {
	char **patterns;
	size_t matched;
};

static bool is_wanted(void *context, const char *path)
{
	struct wanted *wanted = context;
	char **patterns = wanted->patterns;
	bool any = false;

	for (size_t i = 0; patterns[i]; i++) {
		char *pattern = patterns[i];
		if (!path_matches(pattern, path))
			continue;
		any = true;
		if (i < wanted->matched)
			continue;
		patterns[i] = patterns[wanted->matched];
		patterns[wanted->matched++] = pattern;
	}
	return any;
}

/* Where the directory is to be, by the descriptor of what it is to be in. */
struct place {
	const char *target; /* as it was named */
	int parent;
	char name[NAME_MAX + 1]; /* in it */
};

static int open_place(struct place *place, const char *target, struct failure *failure)
{
	char parent[PATH_MAX];
	size_t length = strlen(target);

	while (length > 1 && target[length - 1] == '/')
		length--;
	const char *name = target + length;
	while (name > target && name[-1] != '/')
		name--;
	size_t size = (size_t)(target + length - name);
	if (size == 0 || size > NAME_MAX || (size_t)(name - target) >= sizeof parent)
		return fail(failure, FUSELAGE_E_EXTRACT_FAILED, "\"%.80s\": not a usable path",
			    target);
	snprintf(place->name, sizeof place->name, "%.*s", (int)size, name);
	snprintf(parent, sizeof parent, "%.*s.", (int)(name - target), target);
	place->target = target;
	place->parent = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return place->parent < 0 ? fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", target) : 0;
}

/* What stands where a directory should be. */
static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFLNK:
		return "symbolic link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

static int check_target(const struct place *place, bool merged, struct failure *failure)
{
	struct stat st;

	if (fstatat(place->parent, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       0 :
			       fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", place->target);
	if (!S_ISDIR(st.st_mode))
		return fail(failure, FUSELAGE_E_EXTRACT_EXISTS,
			    "%s: expected nothing or %s directory, found a %s", place->target,
			    merged ? "a" : "an empty", kind_of(st.st_mode));
	int entries = merged ? 0 : count_entries(place->parent, place->name);
	if (entries < 0)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", place->target);
	if (entries > 0)
		return fail(failure, FUSELAGE_E_EXTRACT_EXISTS,
			    "%s: expected nothing or an empty directory, found %d entries",
			    place->target, entries);
	return 0;
}

static int describe(const struct bundle *bundle, const char *target,
		    const struct extract_report *report, struct failure *failure)
{
	if (interrupted)
		return fail(failure, FUSELAGE_E_EXTRACT_FAILED, "%s: interrupted, nothing is left",
			    target);
	if (report->error)
		return fail_sqfs(failure, report->error, sqfs_fault(bundle->reader), bundle->path,
				 report->path);
	errno = report->system_error;
	return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s/%.300s", target, report->path);
}

/*
 * What was left out in one line; the words are those of the options that keep it. What matches nothing is no
 * failure: tools ask for what an AppImage need not have, and its own runtime ends with 0 then.
 */
static void tell(const struct extract_report *report, const struct wanted *wanted)
{
	const char *before = "fuselage: left out: ";
	char **pattern = wanted->patterns ? wanted->patterns + wanted->matched : NULL;

	for (; pattern && *pattern; pattern++)
		fprintf(stderr, "fuselage: nothing matches \"%.300s\"\n", *pattern);

	for (size_t kind = 0; kind < EXTRACT_COUNTS; kind++) {
		if (!report->left_out[kind])
			continue;
		fprintf(stderr, "%s%llu %s", before, (unsigned long long)report->left_out[kind],
			extract_words[kind]);
		before = ", ";
	}
	if (*before == ',')
		fputs("\n", stderr);
}

int extract_options(char **args, struct extract_request *request, struct failure *failure)
{
	char **rest = args;

	for (; *args; args++) {
		size_t kind = 0;
		if (strncmp(*args, "--", 2) != 0) {
			*rest++ = *args;
			continue;
		}
		while (kind < EXTRACT_KINDS && strcmp(*args + 2, extract_words[kind]) != 0)
			kind++;
		if (kind == EXTRACT_KINDS)
			return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
				    "%.80s: there is no such option of a bundle", *args);
		request->keep |= 1u << kind;
	}
	*rest = NULL;
	return 0;
}

static void catch_signals(uint64_t endings, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	for (int number = 1; endings; number++, endings >>= 1)
		if (endings & 1)
			sigaction(number, &action, NULL);
}

/* Gives the complete tree its name. */
static int publish(const struct place *place, int tree, const char *staging, bool merged,
		   struct failure *failure)
{
	char name[NAME_MAX + 1] = "";

	if (renameat(place->parent, staging, place->parent, place->name) == 0)
		return 0;
	if (!merged || (errno != ENOTEMPTY && errno != EEXIST))
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", place->target);
	OWNED_FD to =
		openat(place->parent, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || merge_directory(tree, to, name, sizeof name) < 0)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s: %s", place->target,
				  name);
	remove_tree(place->parent, staging);
	return 0;
}

int extract_bundle(struct bundle *bundle, const char *target, const struct extract_request *request,
		   struct failure *failure)
{
	struct wanted wanted = { .patterns = request->patterns };
	struct extract_options options = {
		.keep = request->keep,
		.xattrs = true,
		.interrupted = &interrupted,
		.wanted = request->patterns && request->patterns[0] ? is_wanted : NULL,
		.wanted_context = &wanted,
	};
	struct extract_report report;
	char staging[NAME_MAX + 1];
	struct place place = { .parent = -1 };
	uint64_t endings = inherited_endings();

	if (open_place(&place, target, failure) < 0)
		return -1;
	OWNED_FD parent = place.parent;
	if (check_target(&place, request->merge, failure) < 0)
		return -1;
	catch_signals(endings, note_interrupt);
	OWNED_FD dir = private_directory(parent, place.name, staging);
	if (dir < 0)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", target);

	int result = -1;
	if (extract_tree(bundle->reader, dir, &options, &report) < 0)
		describe(bundle, target, &report, failure);
	else
		result = publish(&place, dir, staging, request->merge, failure);
	if (result < 0)
		remove_tree(parent, staging);
	else
		tell(&report, &wanted);
	catch_signals(endings, SIG_DFL);
	if (interrupted)
		raise(interrupted);
	return result;
}
