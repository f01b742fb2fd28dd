#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"

static const char variable[] = "${FUSELAGE_BUNDLE_DIR}";

/* Replaces every ${FUSELAGE_BUNDLE_DIR}. Returns a new string, or NULL: no memory. */
static char *expand(const char *value, const char *directory)
{
	size_t length = sizeof variable - 1;
	size_t size = strlen(value) + 1;

	for (const char *at = strstr(value, variable); at; at = strstr(at + length, variable))
		size += strlen(directory);
	char *result = malloc(size);
	char *to = result;
	while (result && *value) {
		if (strncmp(value, variable, length) == 0) {
			to = stpcpy(to, directory);
			value += length;
		} else {
			*to++ = *value++;
		}
	}
	if (result)
		*to = 0;
	return result;
}

static int set_environment(const struct start *start, struct failure *failure)
{
	char directory[PATH_MAX + 16];
	int failed = setenv("FUSELAGE_BUNDLE", start->path, 1) |
		     setenv("FUSELAGE_BUNDLE_DIR", start->bundle_dir, 1);

	snprintf(directory, sizeof directory, "%s/tmp", start->procdir);
	failed |= setenv("FUSELAGE_TMPDIR", directory, 1);
	snprintf(directory, sizeof directory, "%s/static", start->procdir);
	failed |= setenv("FUSELAGE_STATIC", directory, 1);
	for (size_t i = 0; !failed && i < start->manifest.env_count; i++) {
		const char *pair = start->manifest.env[i];
		const char *value = strchr(pair, '=');
		OWNED char *name = strndup(pair, (size_t)(value - pair));
		OWNED char *expanded = expand(value + 1, start->bundle_dir);
		failed = !name || !expanded || setenv(name, expanded, 1);
	}
	return failed ? fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: environment", start->path) : 0;
}

/*
 * The kernel read part of the entrypoint and could not: finds the block by reading all of it
 * through our own reader, which says where.
 */
static int explain_io_error(struct start *start, struct failure *failure)
{
	const char *entry = start->manifest.entry;
	struct sqfs_inode inode;
	uint64_t position = 0;
	int error = sqfs_path_lookup(start->reader, entry, true, &inode);

	while (!error && position < inode.size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(start->reader, &inode, position, &data);
		if (n <= 0)
			error = (int)n;
		else
			position += (uint64_t)n;
	}
	if (!error)
		return fail_errno(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: %s", start->path, entry);
	return fail(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: %s: %s (%s)", start->path, entry,
		    sqfs_strerror(error), sqfs_fault(start->reader));
}

static int explain(struct start *start, struct failure *failure)
{
	const char *entry = start->manifest.entry;

	switch (errno) {
	case EIO:
		return explain_io_error(start, failure);
	case ENOENT:
		return fail(failure, FUSELAGE_E_ENTRY_INTERPRETER,
			    "%s: %s: the interpreter that it names does not exist here",
			    start->path, entry);
	case EACCES:
		return fail_errno(failure, FUSELAGE_E_ENTRY_NOT_EXECUTABLE, "%s: %s", start->path,
				  entry);
	case ENOEXEC:
		return fail(failure, FUSELAGE_E_ENTRY_NOT_EXECUTABLE,
			    "%s: %s: neither a program for this machine nor a script that starts "
			    "with #!",
			    start->path, entry);
	default:
		return fail_errno(failure, FUSELAGE_E_EXEC_FAILED, "%s: %s", start->path, entry);
	}
}

static int check_entry(struct start *start, const char *path, struct failure *failure)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == EIO)
			return explain_io_error(start, failure);
		return fail_errno(failure, FUSELAGE_E_ENTRY_MISSING, "%s: %s", start->path,
				  start->manifest.entry);
	}
	if (!S_ISREG(st.st_mode))
		return fail(failure, FUSELAGE_E_ENTRY_NOT_EXECUTABLE, "%s: %s: not a regular file",
			    start->path, start->manifest.entry);
	return 0;
}

int launch(struct start *start, char **args, struct failure *failure)
{
	char path[2 * PATH_MAX];
	size_t count = 0;

	snprintf(path, sizeof path, "%s/%s", start->bundle_dir, start->manifest.entry);
	if (check_entry(start, path, failure) < 0 || set_environment(start, failure) < 0)
		return -1;
	while (args[count])
		count++;
	OWNED const char **argv = calloc(count + start->manifest.arg_count + 2, sizeof *argv);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: arguments", start->path);

	/* The path itself: interpreters and multi-call programs find their files by argv[0]. */
	size_t at = 0;
	argv[at++] = path;
	for (size_t i = 0; i < start->manifest.arg_count; i++)
		argv[at++] = start->manifest.args[i];
	for (size_t i = 0; i < count; i++)
		argv[at++] = args[i];
	umask(start->mask);
	execv(path, (char *const *)argv);
	return explain(start, failure);
}
