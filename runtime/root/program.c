#include "root/program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "start/exec.h"
#include "start/variables.h"

/* Texts one after the other, and room for as many as there are. */
struct argv {
	char **texts;
	size_t count;
};

static size_t count_texts(char *const *texts)
{
	size_t count = 0;

	while (texts[count])
		count++;
	return count;
}

static void add(struct argv *argv, const char *text)
{
	argv->texts[argv->count++] = (char *)(uintptr_t)text;
}

/* Returns false when there is no memory. */
static bool add_recorded(struct argv *argv, const struct manifest *manifest)
{
	enum expansion expansion = manifest->expand_args ? EXPAND_ROOT : EXPAND_NOTHING;

	for (size_t i = 0; i < manifest->arg_count; i++) {
		char *text = malloc(variables_expand(NULL, manifest->args[i], expansion, "/"));
		if (!text)
			return false;
		variables_expand(text, manifest->args[i], expansion, "/");
		add(argv, text);
	}
	return true;
}

static bool add_entry(struct argv *argv, const char *entry)
{
	char *path = malloc(strlen(entry) + 2);

	if (!path)
		return false;
	stpcpy(stpcpy(path, "/"), entry);
	add(argv, path);
	return true;
}

/* --shell and --entrypoint are all that there is before the user's arguments. */
static bool fill(struct argv *argv, const struct root_start *root)
{
	const struct manifest *manifest = &root->bundle->manifest;
	const struct text_list *cmd = &manifest->root.cmd;
	bool own = !root->options.shell && !root->options.entrypoint;

	if (root->options.shell)
		add(argv, access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/bin/sh");
	else if (root->options.entrypoint)
		add(argv, root->options.entrypoint);
	else if ((manifest->entry && !add_entry(argv, manifest->entry)) ||
		 !add_recorded(argv, manifest))
		return false;
	for (size_t i = 0; root->args[i]; i++)
		add(argv, root->args[i]);
	for (size_t i = 0; own && !root->args[0] && i < cmd->count; i++)
		add(argv, cmd->texts[i]);
	add(argv, NULL);
	return true;
}

int program_exec(const struct root_start *root, const struct start *start, struct failure *failure)
{
	const struct manifest *manifest = &root->bundle->manifest;
	size_t room = manifest->arg_count + manifest->root.cmd.count + count_texts(root->args) + 3;
	OWNED char **texts = calloc(room, sizeof *texts);
	struct argv argv = { texts, 0 };

	if (!texts || !fill(&argv, root))
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "arguments");
	if (!texts[0] || (!*texts[0] && !root->args[0]))
		return fail(failure, FUSELAGE_E_COMMAND_NOT_FOUND,
			    "%s: the image names no program: give one behind it, or --shell",
			    root->bundle->path);
	return exec_in_path(start, texts, failure);
}
