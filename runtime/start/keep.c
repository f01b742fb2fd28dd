#include "start/keep.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/show.h"
#include "base/owned.h"
#include "base/variable.h"
#include "bundle/bundle.h"
#include "cache/starts.h"
#include "cache/store.h"
#include "cache/trees.h"
#include "fuse/fuse_options.h"
#include "kernel/mount_point.h"
#include "start/home.h"
#include "start/start.h"
#include "generated/names.h"

#define LIMIT_DEFAULT (UINT64_C(512) << 20)
#define LIMIT_LEAST (UINT64_C(1) << 20)
#define LIMIT_MOST (UINT64_C(1) << 50)
#define DAY 86400

int keep_parse(struct keep *keep, const char *text, struct failure *failure)
{
	keep->wanted = !text || strcmp(text, "0") != 0;
	keep->at_once = text && *text;
	keep->request.limit = LIMIT_DEFAULT;
	if (!keep->at_once || !keep->wanted || strcmp(text, "1") == 0)
		return 0;
	if (fuse_parse_number(text, text + strlen(text), true, LIMIT_LEAST, LIMIT_MOST,
			      &keep->request.limit))
		return 0;
	return fail(failure, FUSELAGE_E_VARIABLE,
		    ENV_FUSELAGE_KEEP "=%.80s: expected 0, 1 or a size", text);
}

/*
 * Whether the start is one that could use them: with a read-only mount. One whose reads are recorded has
 * to make all of them.
 */
static bool is_possible(const struct start *start)
{
	const struct keep *keep = &start->keep;

	return keep->bundle && keep->wanted && !start->identity.caller.setuid && *start->home &&
	       start->mounting.record < 0 && strcmp(start->mounting.type, "extract") != 0;
}

/* Nothing is bound over a mount of the host's: its server reads the copy. */
static bool is_served(const struct start *start)
{
	return start->identity.kind == NAMESPACE_NONE;
}

/* What an attempt to mount in another way has found. */
static void forget(struct start *start)
{
	struct fuse_kept *kept = start->mounting.kept;

	if (start->keep.cache >= 0)
		close(start->keep.cache);
	start->keep.cache = -1;
	start->keep.calls = false;
	start->keep.request.count = 0;
	for (; kept->number; kept++)
		if (kept->file != KEPT_BOUND)
			close(kept->file);
	memset(start->mounting.kept, 0, sizeof start->mounting.kept);
}

void keep_open(struct start *start)
{
	struct failure ignored = { 0 };
	struct keep *keep = &start->keep;
	const struct caller *caller = &start->identity.caller;
	struct fuse_kept *found = start->mounting.kept;

	forget(start);
	if (!is_possible(start))
		return;
	const struct manifest *manifest = &keep->bundle->manifest;
	keep->cache = cache_open_directory(start->home, caller, true, FUSELAGE_E_CACHE, &ignored);
	for (size_t i = 0; keep->cache >= 0 && i < manifest->hot_count; i++) {
		struct hot_file *file = &keep->files[keep->request.count];
		if (!hot_file_find(file, &manifest->hot[i], keep->bundle->reader))
			continue;
		OWNED_FD kept = hot_file_open(file, keep->cache, caller->uid,
					      is_served(start) ? O_RDONLY : O_PATH);
		file->kept = kept >= 0;
		if (file->kept)
			*found++ = (struct fuse_kept){ file->number, is_served(start) ?
									     steal_fd(&kept) :
									     KEPT_BOUND };
		/* What is there calls for a look at what is old, once a day that it is used. */
		file->age = hot_file_age(file, keep->cache);
		keep->calls |= file->age >= (file->kept ? DAY : 0) ||
			       (keep->at_once && !file->kept);
		keep->request.count++;
	}
}

void keep_begin(struct start *start)
{
	struct keep *keep = &start->keep;

	if (!keep->calls || start->mounting.share.joined || !share_may_leave())
		return;
	keep->request.files = keep->files;
	keep->request.image = &keep->bundle->fs;
	keep->request.caller = &start->identity.caller;
	keep->request.cache = keep->cache;
	hot_files_make(&keep->request);
}

/* The copy in the place of the file, where the server does not read it. Returns 0, or -1. */
static int put_in_place(const struct start *start, const struct hot_file *file, int cache, int root)
{
	if (is_served(start))
		return file->kept ? 0 : -1;
	OWNED_FD kept = hot_file_open(file, cache, start->identity.uid, O_PATH);
	return kept < 0 ? -1 : mount_point_bind_file(kept, root, file->record->path);
}

/* The same directory, by a mount of this namespace: another one's cannot be bound. */
static int open_here(const struct start *start)
{
	char path[PATH_MAX + sizeof "/cache"];
	struct stat checked, found;

	stpcpy(stpcpy(path, start->home), "/cache");
	OWNED_FD cache = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cache < 0 || fstat(cache, &found) < 0 || fstat(start->keep.cache, &checked) < 0 ||
	    found.st_dev != checked.st_dev || found.st_ino != checked.st_ino)
		return -1;
	return steal_fd(&cache);
}

void keep_bind(struct start *start, const struct archive *archive)
{
	bool debug = variable_is_on(ENV_FUSELAGE_DEBUG);
	struct keep *keep = &start->keep;
	OWNED_FD checked = keep->cache;

	if (checked < 0 || strcmp(start->mounting.strategy, "extract") == 0)
		return;
	OWNED_FD here = is_served(start) ? -1 : open_here(start);
	OWNED_FD root = open(archive->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < keep->request.count; i++) {
		const struct hot_file *file = &keep->files[i];
		if (!start->mounting.share.joined)
			hot_file_mark(file, checked);
		int result = put_in_place(start, file, here, root);
		if (!debug)
			continue;
		fputs("fuselage: ", stderr);
		show_print(stderr, file->record->path);
		fprintf(stderr, " is %skept\n", result < 0 ? "not " : "");
	}
}

void keep_tell(struct start *start, FILE *out)
{
	keep_open(start);
	for (size_t i = 0; i < start->keep.request.count; i++) {
		const struct hot_file *file = &start->keep.files[i];
		fprintf(out, "%-11s ", file->kept ? "kept" : "not kept");
		show_print(out, file->record->path);
		fputs("\n", out);
	}
}

int keep_forget(struct start *start, struct failure *failure)
{
	struct keep *keep = &start->keep;
	char path[PATH_MAX];

	keep->wanted = true;
	start->mounting.type = "auto";
	if (home_prepare(start->home, &start->identity, failure) < 0)
		return -1;
	keep_open(start);
	for (size_t i = 0; i < keep->request.count; i++)
		if (hot_file_remove(keep->cache, keep->files[i].name))
			printf("%s/cache/%s\n", start->home, keep->files[i].name);
	if (start->identity.caller.setuid)
		return 0;
	if (starts_forget(path, sizeof path, start->home, &start->invocation.archives->fs))
		puts(path);
	cache_tree_forget(start->invocation.archives, &start->identity.caller, start->home);
	return 0;
}
