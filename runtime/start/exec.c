#include "start/exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "start/appimage_start.h"
#include "base/owned.h"
#include "start/procdir.h"
#include "start/find_program.h"
#include "generated/names.h"

static const char variable[] = "${" ENV_FUSELAGE_BUNDLE_DIR "}";

/*
 * Copies `value` with every ${FUSELAGE_BUNDLE_DIR} replaced by `directory`, or as it is where that
 * is NULL. Returns the bytes with the final NUL; without `to` it only counts.
 */
static size_t expand(char *to, const char *value, const char *directory)
{
	size_t length = sizeof variable - 1;
	size_t size = 0;

	while (*value) {
		bool found = directory && strncmp(value, variable, length) == 0;
		size_t n = found ? strlen(directory) : 1;
		if (to)
			memcpy(to + size, found ? directory : value, n);
		value += found ? length : 1;
		size += n;
	}
	if (to)
		to[size] = 0;
	return size + 1;
}

/* Variables of the places: each only when there is something in it. */
static int set_places(const struct invocation *invocation, const char *procdir)
{
	char directory[PATH_MAX + 16];
	bool any_static = false, any_dynamic = false;
	int failed = 0;

	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		any_static |= !archive->fixed && archive->use == ARCHIVE_STATIC;
		any_dynamic |= !archive->fixed && archive->use != ARCHIVE_STATIC;
	}
	snprintf(directory, sizeof directory, "%s/tmp", procdir);
	failed |= setenv(ENV_FUSELAGE_TMPDIR, directory, 1);
	snprintf(directory, sizeof directory, "%s/static", procdir);
	failed |= any_static && setenv(ENV_FUSELAGE_STATIC, directory, 1);
	snprintf(directory, sizeof directory, "%s/dynamic", procdir);
	failed |= any_dynamic && setenv(ENV_FUSELAGE_DYNAMIC, directory, 1);
	return failed;
}

/* The root of the bundle's own image; NULL when the invocation does not use it. */
static const char *own_root(const struct invocation *invocation, const struct bundle *bundle)
{
	for (size_t i = 0; i < invocation->count; i++)
		if (invocation->archives[i].file == bundle->path)
			return invocation->archives[i].target;
	return NULL;
}

static int set_recorded(const struct manifest *manifest, const char *root)
{
	int failed = 0;

	if (!root)
		root = "";
	for (size_t i = 0; i < manifest->unset_count; i++)
		unsetenv(manifest->unset[i]);
	for (size_t i = 0; !failed && i < manifest->env_count; i++) {
		const char *pair = manifest->env[i];
		const char *value = strchr(pair, '=') + 1;
		OWNED char *name = strndup(pair, (size_t)(value - 1 - pair));
		OWNED char *expanded = malloc(expand(NULL, value, root));
		if (expanded)
			expand(expanded, value, root);
		failed = !name || !expanded || setenv(name, expanded, 1);
	}
	return failed;
}

static int set_environment(const struct start *start, const struct bundle *bundle,
			   struct failure *failure)
{
	const char *root = bundle ? own_root(&start->invocation, bundle) : NULL;
	/* An AppImage of another maker has no use for ours. */
	bool ours = !bundle || bundle->manifest.bytes;
	int failed = ours && set_places(&start->invocation, start->procdir.path);

	if (bundle && bundle->appimage)
		failed |= appimage_set_environment(bundle, root ? root : "");
	if (bundle && ours)
		failed |= setenv(ENV_FUSELAGE_BUNDLE, bundle->path, 1);
	if (root && ours)
		failed |= setenv(ENV_FUSELAGE_BUNDLE_DIR, root, 1);
	if (bundle)
		failed |= set_recorded(&bundle->manifest, root);
	return failed ? fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment") : 0;
}

/* What a refusal to execute is called, of a bundle's entrypoint and of a command. */
struct refusal {
	enum fuselage_code interpreter;
	enum fuselage_code not_executable;
};

static const struct refusal entry_refusal = { FUSELAGE_E_ENTRY_INTERPRETER,
					      FUSELAGE_E_ENTRY_NOT_EXECUTABLE };
static const struct refusal command_refusal = { FUSELAGE_E_COMMAND_NOT_FOUND,
						FUSELAGE_E_COMMAND_NOT_EXECUTABLE };

/* Why the kernel refused to execute what is called `name` in the failure. */
static int explain(const struct refusal *refusal, const char *name, struct failure *failure)
{
	switch (errno) {
	case ENOENT:
		return fail(failure, refusal->interpreter,
			    "%.600s: the interpreter that it names does not exist here", name);
	case EACCES:
		return fail_errno(failure, refusal->not_executable, "%.600s", name);
	case ENOEXEC:
		return fail(failure, refusal->not_executable,
			    "%.600s: neither a program for this machine nor a script that starts "
			    "with #!",
			    name);
	default:
		return fail_errno(failure, FUSELAGE_E_EXEC_FAILED, "%.600s", name);
	}
}

/* Whether a command is anywhere in PATH, executable or not: execvp also says EACCES for a folder
 * that it may not search. */
static bool is_in_path(const char *command)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	if (strchr(command, '/'))
		return access(command, F_OK) == 0;
	while (path && *path) {
		int length = (int)strcspn(path, ":");
		int n = snprintf(file, sizeof file, "%.*s%s%s", length, path, length ? "/" : "",
				 command);
		if (n > 0 && n < (int)sizeof file && access(file, F_OK) == 0)
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

static int check_entry(const struct bundle *bundle, const char *path, struct failure *failure)
{
	const char *entry = bundle->manifest.entry;
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == EIO)
			return bundle_explain_io_error(bundle, failure);
		return fail_errno(failure, FUSELAGE_E_ENTRY_MISSING, "%s: %s", bundle->path, entry);
	}
	if (!S_ISREG(st.st_mode))
		return fail(failure, FUSELAGE_E_ENTRY_NOT_EXECUTABLE, "%s: %s: not a regular file",
			    bundle->path, entry);
	return 0;
}

/*
 * `first`, `before` (counted), `after` (NULL-terminated) as one argument vector, in one allocation.
 * `directory`, unless NULL, is expanded in what stands before.
 */
static char **join(const char *first, const char **before, size_t count, char **after,
		   const char *directory)
{
	size_t size = 0, more = 0;

	while (after[more])
		more++;
	for (size_t i = 0; i < count; i++)
		size += expand(NULL, before[i], directory);
	char **argv = malloc((1 + count + more + 1) * sizeof *argv + size);
	if (!argv)
		return NULL;
	char *text = (char *)(argv + 1 + count + more + 1);
	argv[0] = (char *)(uintptr_t)first;
	for (size_t i = 0; i < count; i++) {
		argv[1 + i] = text;
		text += expand(text, before[i], directory);
	}
	memcpy(argv + 1 + count, after, (more + 1) * sizeof *argv);
	return argv;
}

/* The caller again, in its own directory: from here on paths are looked up as the app would. */
static int give_up_root(const struct start *start, struct failure *failure)
{
	if (privileges_drop(&start->identity.caller, failure) < 0)
		return -1;
	procdir_link(&start->procdir, &start->identity, start->home);
	if (start->cwd >= 0 && fchdir(start->cwd) < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "the current directory");
	return 0;
}

int exec_bundle(const struct start *start, const struct bundle *bundle, char **args,
		struct failure *failure)
{
	const struct manifest *manifest = &bundle->manifest;
	const char *root = own_root(&start->invocation, bundle);
	char path[2 * PATH_MAX], name[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", root, manifest->entry);
	if (give_up_root(start, failure) < 0 || check_entry(bundle, path, failure) < 0 ||
	    set_environment(start, bundle, failure) < 0)
		return -1;
	/*
	 * The path itself: interpreters and multi-call programs find their files by argv[0]. In
	 * AppImages of others they have always looked at what the user typed.
	 */
	OWNED char **argv = join(manifest->bytes ? path : bundle->argv0, manifest->args,
				 manifest->arg_count, args, manifest->expand_args ? root : NULL);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: arguments", bundle->path);
	inherited_give_back(&start->inherited);
	execv(path, argv);
	if (errno == EIO)
		return bundle_explain_io_error(bundle, failure);
	snprintf(name, sizeof name, "%s: %s", bundle->path, manifest->entry);
	return explain(&entry_refusal, name, failure);
}

int exec_command(const struct start *start, const struct bundle *bundle, struct failure *failure)
{
	const struct invocation *invocation = &start->invocation;
	char path[PATH_MAX];

	if (give_up_root(start, failure) < 0)
		return -1;
	if (!invocation->run) {
		const char *command = invocation->command[0];
		if (set_environment(start, bundle, failure) < 0)
			return -1;
		inherited_give_back(&start->inherited);
		execvp(command, invocation->command);
		int error = errno;
		if ((error == ENOENT || error == EACCES || error == ENOTDIR) &&
		    !is_in_path(command))
			return fail(failure, FUSELAGE_E_COMMAND_NOT_FOUND, "%.600s: not found",
				    command);
		errno = error;
		return explain(&command_refusal, command, failure);
	}
	if (find_program(invocation, invocation->run, path, failure) < 0 ||
	    set_environment(start, bundle, failure) < 0)
		return -1;
	OWNED char **argv = join(path, NULL, 0, invocation->command, NULL);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "arguments");
	inherited_give_back(&start->inherited);
	execv(path, argv);
	return explain(&command_refusal, path, failure);
}
