/*
 * Everything that reads an image, again and again, with more allocations that succeed each time:
 *
 *   out-of-memory IMAGE DIRECTORY
 *
 * Nothing may say of the image that it is corrupt when there is no memory. Prints a line for each step,
 * with the number of times that it failed; DIRECTORY is empty, and empty again afterwards.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/archive.h"
#include "bundle/image_failure.h"
#include "base/remove.h"
#include "bundle/bundle.h"
#include "cli/extract_command.h"

/* Allocations that still succeed; negative: all do. */
static atomic_int left = -1;

static int is_refused(void)
{
	int had = atomic_load(&left);

	while (had > 0 && !atomic_compare_exchange_weak(&left, &had, had - 1))
		;
	if (had == 0)
		errno = ENOMEM;
	return had == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return is_refused() ? NULL : __real_realloc(old, size);
}

static const char *image, *directory;

/* What each step starts with. */
static struct archive archive;
static struct bundle bundle;

static int open_archive(struct failure *failure)
{
	archive = (struct archive){ .option = "--static", .file = image, .fd = -1 };
	return archive_open(&archive, failure);
}

static int check_archive(struct failure *failure)
{
	return open_archive(failure) < 0 ? -1 : archive_check(&archive, failure);
}

static int extract_archive(struct failure *failure)
{
	char place[PATH_MAX];

	snprintf(place, sizeof place, "%s/archive", directory);
	if (open_archive(failure) < 0)
		return -1;
	if (mkdir(place, 0700) < 0)
		return fail_errno(failure, FUSELAGE_E_EXTRACT_FAILED, "%s", place);
	int dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = archive_extract(&archive, dir, failure);
	close(dir);
	remove_tree(AT_FDCWD, place);
	return result;
}

static int open_bundle(struct failure *failure)
{
	if (open_archive(failure) < 0)
		return -1;
	bundle = (struct bundle){ .file = archive.fd, .fs = archive.fs, .reader = archive.reader };
	bundle.manifest.entry = "program";
	snprintf(bundle.path, sizeof bundle.path, "%s", image);
	return 0;
}

static int check_entry(struct failure *failure)
{
	struct sqfs_inode entry;

	return open_bundle(failure) < 0 ? -1 : bundle_check_entry(&bundle, &entry, failure);
}

static int explain(struct failure *failure)
{
	if (open_bundle(failure) < 0)
		return -1;
	errno = 0; /* what is said when the whole of it can be read: the kernel's words */
	struct failure found = { 0 };
	bundle_explain_io_error(&bundle, &found);
	if (strstr(found.text, "No error") || strstr(found.text, "Success"))
		return 0;
	*failure = found;
	return -1;
}

static int extract_all(struct failure *failure)
{
	struct extract_request request = { 0 };
	char place[PATH_MAX];

	snprintf(place, sizeof place, "%s/bundle", directory);
	if (open_bundle(failure) < 0)
		return -1;
	int result = extract_bundle(&bundle, place, &request, failure);
	remove_tree(AT_FDCWD, place);
	return result;
}

static const struct {
	const char *name;
	int (*run)(struct failure *failure);
} steps[] = {
	{ "open", open_archive }, { "check", check_archive }, { "extract", extract_archive },
	{ "entry", check_entry }, { "explain", explain },     { "bundle", extract_all },
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	image = argv[1];
	directory = argv[2];
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		int failed = 0;
		/* One more each time, and of thousands not each. */
		for (int most = 0;; most += 1 + most / 16, failed++) {
			struct failure failure = { 0 };
			atomic_store(&left, most);
			int result = steps[i].run(&failure);
			atomic_store(&left, -1);
			archive_close(&archive);
			if (result == 0)
				break;
			if (failure.code != FUSELAGE_E_OUT_OF_MEMORY) {
				printf("%s with %d allocations: [%s] %s\n", steps[i].name, most,
				       failure_known(failure.code)->code, failure.text);
				return 1;
			}
		}
		printf("%s %d\n", steps[i].name, failed);
	}
	return 0;
}
