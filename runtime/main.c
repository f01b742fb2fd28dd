/*
 * A start, phase by phase:
 *
 *   open own file → find the image → read the manifest → options, or:
 *   directories on the host → private namespace and mount (strategy.c) → exec
 *
 * This process becomes the app: nothing waits for it, nothing cleans up after it. What was mounted
 * ends with the mount namespace, and that with the last process in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "elf_layout.h"
#include "home.h"
#include "launch.h"
#include "options.h"
#include "strategy.h"

static int open_self(struct start *start, struct failure *failure)
{
	ssize_t n = readlink("/proc/self/exe", start->path, sizeof start->path - 1);

	if (n < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "/proc/self/exe");
	start->path[n] = 0;
	/* Not by its path, which may name another file by now. */
	start->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (start->file < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", start->path);
	return 0;
}

static int image_failure(const struct start *start, int error, const char *fault,
			 struct failure *failure)
{
	enum fuselage_code code = FUSELAGE_E_IMAGE_CORRUPT;

	if (error == SQFS_ETRUNCATED)
		code = FUSELAGE_E_IMAGE_TRUNCATED;
	else if (error == SQFS_ECODEC || error == SQFS_EVERSION || error == SQFS_EBIGENDIAN)
		code = FUSELAGE_E_IMAGE_UNSUPPORTED;
	else if (error == SQFS_ENOMEM)
		code = FUSELAGE_E_OUT_OF_MEMORY;
	return fail(failure, code, "%s: %s (%s)", start->path, sqfs_strerror(error), fault);
}

/* The file must reach as far as the manifest says: a cut copy is told apart from a changed one. */
static int check_length(const struct start *start, struct failure *failure)
{
	uint64_t expected = start->image_offset + start->manifest.image_size;
	struct stat st;

	if (fstat(start->file, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_SELF_OPEN, "%s", start->path);
	if ((uint64_t)st.st_size <= start->image_offset)
		return fail(failure, FUSELAGE_E_IMAGE_MISSING,
			    "%s: the image is gone: expected it at byte %" PRIu64
			    ", found the end of the file at %lld",
			    start->path, start->image_offset, (long long)st.st_size);
	if ((uint64_t)st.st_size < expected)
		return fail(failure, FUSELAGE_E_IMAGE_TRUNCATED,
			    "%s: expected %" PRIu64 " bytes, found %lld", start->path, expected,
			    (long long)st.st_size);
	return 0;
}

static int open_image(struct start *start, struct failure *failure)
{
	struct elf_layout layout;
	char fault[SQFS_FAULT_MAX];

	if (elf_read_layout(start->file, start->path, &layout, failure) < 0)
		return -1;
	start->image_offset = layout.image;
	int found = manifest_read(start->file, start->path, layout.manifest, layout.manifest_size,
				  &start->manifest, failure);
	if (found < 0)
		return -1;
	if (found == 0)
		return fail(failure, FUSELAGE_E_IMAGE_MISSING,
			    "%s: this is a runtime (fuselage %s) without an image", start->path,
			    FUSELAGE_VERSION);
	if (check_length(start, failure) < 0)
		return -1;
	int error = sqfs_open(&start->fs, start->file, start->image_offset,
			      start->manifest.image_size, fault);
	if (error)
		return image_failure(start, error, fault, failure);
	start->reader = sqfs_reader_new(&start->fs, 0);
	if (!start->reader)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: reader", start->path);
	return 0;
}

/* Before anything is mounted: what is on the way to the entrypoint must be sound. */
static int check_entry(const struct start *start, struct failure *failure)
{
	struct sqfs_inode inode;
	int error = sqfs_path_lookup(start->reader, start->manifest.entry, true, &inode);

	if (error == SQFS_ENOENT || error == SQFS_ENOTDIR)
		return fail(failure, FUSELAGE_E_ENTRY_MISSING, "%s: %s: not in the image",
			    start->path, start->manifest.entry);
	if (error)
		return image_failure(start, error, sqfs_fault(start->reader), failure);
	return 0;
}

static double milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int start_app(struct start *start, char **args, struct failure *failure)
{
	const char *wanted = getenv("FUSELAGE_MOUNT");
	const char *debug = getenv("FUSELAGE_DEBUG");
	double began = debug && *debug ? milliseconds() : 0;

	start->mask = umask(022);
	if (check_entry(start, failure) < 0 || home_prepare(start, failure) < 0 ||
	    strategy_apply(start, wanted && *wanted ? wanted : "auto", failure) < 0)
		return -1;
	if (debug && *debug)
		fprintf(stderr, "fuselage: mounted by %s in %.2f ms at %s\n", start->strategy,
			milliseconds() - began, start->bundle_dir);
	return launch(start, args, failure);
}

static int run(struct start *start, char **argv, struct failure *failure)
{
	if (open_self(start, failure) < 0 || open_image(start, failure) < 0)
		return -1;

	int done = options_run(start, argv, failure);
	if (done)
		return done < 0 ? -1 : 0;
	char **args = argv[0] ? argv + 1 : argv;
	if (start->manifest.runtime_options && args[0] && strcmp(args[0], "--") == 0)
		args++;
	return start_app(start, args, failure);
}

int main(int argc, char **argv)
{
	static struct start start; /* large: three paths */
	struct failure failure = { 0 };

	(void)argc;
	start.file = -1;
	start.uid = geteuid();
	start.gid = getegid();
	if (run(&start, argv, &failure) == 0)
		return 0;

	const struct fuselage_failure *known = &fuselage_failures[failure.code];
	fprintf(stderr, "fuselage: [%s] %s\n  %s\n", known->code, failure.text, known->hint);
	return known->status;
}
