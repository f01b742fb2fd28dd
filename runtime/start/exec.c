#include "start/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "flavour/flavour.h"
#include "start/fence.h"
#include "start/procdir.h"
#include "start/find_program.h"
#include "start/variables.h"

/* What a refusal to execute is called, of a bundle's entrypoint and of a command. */
struct refusal {
	enum fuselage_code interpreter;
	enum fuselage_code not_executable;
};

static const struct refusal entry_refusal = { FUSELAGE_E_ENTRY_INTERPRETER,
					      FUSELAGE_E_ENTRY_NOT_EXECUTABLE };
static const struct refusal command_refusal = { FUSELAGE_E_COMMAND_NOT_FOUND,
						FUSELAGE_E_COMMAND_NOT_EXECUTABLE };

const char *interpreter_of(const char *path)
{
	static char page[4096 + 1];
	const uint8_t *head = (const uint8_t *)page;
	OWNED_FD file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = file < 0 ? -1 : pread_full(file, page, sizeof page - 1, 0);

	if (page[0] == '#') {
		page[strcspn(page, "\n")] = 0;
		return page;
	}
	if (size < (ssize_t)sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return "";
	bool wide = head[EI_CLASS] == ELFCLASS64;
	uint64_t table = wide ? le64(head + 32) : le32(head + 28);
	size_t entry = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	for (size_t i = 0; i < le16(head + (wide ? 56 : 44)); i++) {
		if (table >= sizeof page || table + (i + 1) * entry >= sizeof page)
			break;
		const uint8_t *at = head + table + i * entry;
		uint64_t offset = wide ? le64(at + 8) : le32(at + 4);
		if (le32(at) == PT_INTERP && offset < sizeof page)
			return page + offset;
	}
	return "";
}

/* Why the kernel refused to execute `path`, which is called `name` in the failure. */
static int explain(const struct refusal *refusal, const char *path, const char *name,
		   struct failure *failure)
{
	switch (errno) {
	case ENOENT:
		return fail(failure, refusal->interpreter,
			    "%.600s: the interpreter that it names does not exist here: %.255s",
			    name, interpreter_of(path));
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

/*
 * Whether a command is anywhere in PATH, executable or not: execvp also says EACCES for a folder that it may
 * not search. The first of these is copied to `closed`, of PATH_MAX bytes, which is empty without one.
 */
static bool is_in_path(const char *command, char *closed)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	*closed = 0;
	if (strchr(command, '/'))
		return access(command, F_OK) == 0 || errno == EACCES;
	while (path && *path) {
		int length = (int)strcspn(path, ":");
		int n = snprintf(file, sizeof file, "%.*s%s%s", length, path, length ? "/" : "",
				 command);
		if (n > 0 && n < (int)sizeof file) {
			if (access(file, F_OK) == 0)
				return true;
			if (errno == EACCES && !*closed)
				snprintf(closed, PATH_MAX, "%.*s", length, path);
		}
		path += length + (path[length] == ':');
	}
	return false;
}

/* Where in the image it is, unless the kernel alone reads that. */
static int explain_io_error(const struct bundle *bundle, struct failure *failure)
{
	if (!flavour_is_guest)
		return bundle_explain_io_error(bundle, failure);
	return fail_errno(failure, FUSELAGE_E_IMAGE_CORRUPT, "%s: %s", bundle->path,
			  bundle->manifest.entry);
}

static int check_entry(const struct bundle *bundle, const char *path, struct failure *failure)
{
	const char *entry = bundle->manifest.entry;
	struct stat st;

	if (stat(path, &st) < 0) {
		if (errno == EIO)
			return explain_io_error(bundle, failure);
		return fail_errno(failure, FUSELAGE_E_ENTRY_MISSING, "%s: %s", bundle->path, entry);
	}
	if (!S_ISREG(st.st_mode))
		return fail(failure, FUSELAGE_E_ENTRY_NOT_EXECUTABLE, "%s: %s: not a regular file",
			    bundle->path, entry);
	return 0;
}

/*
 * `first`, `before` (counted), `after` (NULL-terminated) as one argument vector, in one allocation.
 * `root` is for the expansion of what stands before.
 */
static char **join(const char *first, const char **before, size_t count, char **after,
		   enum expansion expansion, const char *root)
{
	size_t size = 0, more = 0;

	while (after[more])
		more++;
	for (size_t i = 0; i < count; i++)
		size += variables_expand(NULL, before[i], expansion, root);
	char **argv = malloc((1 + count + more + 1) * sizeof *argv + size);
	if (!argv)
		return NULL;
	char *text = (char *)(argv + 1 + count + more + 1);
	argv[0] = (char *)(uintptr_t)first;
	for (size_t i = 0; i < count; i++) {
		argv[1 + i] = text;
		text += variables_expand(text, before[i], expansion, root);
	}
	memcpy(argv + 1 + count, after, (more + 1) * sizeof *argv);
	return argv;
}

/* The caller again, in its own directory: from here on paths are looked up as the app would. */
static int give_up_root(const struct start *start, struct failure *failure)
{
	const struct caller *caller = &start->identity.caller;
	int back = start->cwd < 0 ? 0 : fchdir(start->cwd);

	if (back < 0) { /* which the caller may not enter, or root may not */
		privileges_raise(caller);
		back = fchdir(start->cwd);
		privileges_lower(caller);
	}
	if (back < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "the current directory");
	if (privileges_drop(caller, failure) < 0)
		return -1;
	procdir_link(&start->procdir, start->home);
	return 0;
}

/* The last step before exec: of `program`, or of what is looked for in PATH. */
static int begin_app(const struct start *start, const char *program, struct failure *failure)
{
	/* Around the process of a virtual machine there is that; with the image as root it is fenced in already. */
	bool fenced = flavour_is_runner && !flavour_is_guest && start->sandbox && !start->root;

	if (fenced && fence_enter(start, program, failure) < 0)
		return -1;
	inherited_give_back(&start->inherited);
	return 0;
}

int exec_bundle(const struct start *start, const struct bundle *bundle, char **args,
		struct failure *failure)
{
	const struct manifest *manifest = &bundle->manifest;
	const char *root = variables_root(&start->invocation, bundle);
	char path[2 * PATH_MAX], name[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", root, manifest->entry);
	if (give_up_root(start, failure) < 0 || check_entry(bundle, path, failure) < 0 ||
	    variables_set(start, bundle, failure) < 0)
		return -1;
	/*
	 * The path itself: interpreters and multi-call programs find their files by argv[0]. In
	 * AppImages of others they have always looked at what the user typed.
	 */
	OWNED char **argv = join(manifest->bytes ? path : bundle->argv0, manifest->args,
				 manifest->arg_count, args,
				 manifest->expand_args ? EXPAND_ROOT : EXPAND_NOTHING, root);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: arguments", bundle->path);
	if (begin_app(start, path, failure) < 0)
		return -1;
	execv(path, argv);
	if (errno == EIO)
		return explain_io_error(bundle, failure);
	snprintf(name, sizeof name, "%s: %s", bundle->path, manifest->entry);
	return explain(&entry_refusal, path, name, failure);
}

int exec_in_path(const struct start *start, char **command, struct failure *failure)
{
	char closed[PATH_MAX];

	if (begin_app(start, NULL, failure) < 0)
		return -1;
	execvp(command[0], command);
	int error = errno;
	if ((error == ENOENT || error == EACCES || error == ENOTDIR) &&
	    !is_in_path(command[0], closed))
		return fail(failure, FUSELAGE_E_COMMAND_NOT_FOUND, "%.300s: not found%s%.600s",
			    command[0],
			    *closed ? "; this user may not search a folder of PATH: " : "", closed);
	errno = error;
	return explain(&command_refusal, command[0], command[0], failure);
}

int exec_command(const struct start *start, const struct bundle *bundle, struct failure *failure)
{
	const struct invocation *invocation = &start->invocation;
	char path[PATH_MAX];

	if (give_up_root(start, failure) < 0)
		return -1;
	if (!invocation->run)
		return variables_set(start, bundle, failure) < 0 ?
			       -1 :
			       exec_in_path(start, invocation->command, failure);
	if (find_program(invocation, invocation->run, path, failure) < 0 ||
	    variables_set(start, bundle, failure) < 0)
		return -1;
	OWNED char **argv = join(path, NULL, 0, invocation->command, EXPAND_NOTHING, NULL);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "arguments");
	if (begin_app(start, path, failure) < 0)
		return -1;
	execv(path, argv);
	return explain(&command_refusal, path, path, failure);
}
