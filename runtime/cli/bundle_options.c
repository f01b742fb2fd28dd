#include "cli/bundle_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/show.h"
#include "cli/extract_command.h"
#include "cli/help.h"
#include "flavour/flavour.h"
#include "fuse/start_list.h"
#include "sandbox/words.h"

#define PREFIX "--bundle-"
#define DEFAULT_DIRECTORY "squashfs-root"

void bundle_options_help(FILE *out, const struct bundle *bundle)
{
	char name[256];

	(void)show_text(name, sizeof name, bundle->manifest.name);
	fprintf(out,
		"Usage: %s [OPTION] [ARG...]\n\n"
		"Runs %s, packed into this file, with ARG... The options count as the\n"
		"first argument only:\n\n%s",
		bundle->path, name, help_text(HELP_BUNDLE));
	if (flavour_is_runner && bundle->manifest.root.is_root)
		fputs("  --bundle-run [OPTION]...  start the app in another way; its --help says "
		      "how\n",
		      out);
}

static int show_help(const struct bundle *bundle)
{
	bundle_options_help(stdout, bundle);
	return 1;
}

/* Whoever made the file has chosen the words. */
static void show_line(const char *label, const char *text)
{
	if (!text)
		return;
	printf("%-12s ", label);
	show_print(stdout, text);
	fputs("\n", stdout);
}

static void show_variable(const struct variable *variable)
{
	static const char labels[][13] = {
		"env:", "unset:", "env-default:", "env-prepend:", "env-append:",
	};
	bool plain = variable->tag == FUSELAGE_MANIFEST_ENV;

	show_line(labels[plain ? 0 : variable->tag - FUSELAGE_MANIFEST_UNSET + 1], variable->text);
}

/* What the server will read of it: up to the first run that is none. */
static void show_start_list(const struct manifest *manifest)
{
	struct start_list list;
	struct start_run run;
	uint64_t pages = 0;

	start_list_open(&list, manifest->start, manifest->start_size);
	while (start_list_next(&list, &run))
		pages += run.pages;
	if (list.runs)
		printf("start list:  %" PRIu64 " KiB in %u ranges\n",
		       pages * (START_LIST_PAGE / 1024), list.runs);
}

static void show_list(const char *label, const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		show_line(label, list->texts[i]);
}

static void show_root(const struct root_config *root)
{
	if (!root->is_root)
		return;
	printf("root:        the image\n");
	show_list("cmd:", &root->cmd);
	show_line("user:", root->user);
	show_line("workdir:", root->workdir);
	show_list("run:", &root->run);
	show_list("port:", &root->ports);
	show_list("volume:", &root->volumes);
	show_line("stop signal:", root->stop_signal);
	show_list("label:", &root->labels);
	show_line("source:", root->source);
}

static void show_sandbox(const struct text_list *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		printf("sandbox:     ");
		sandbox_print_words(stdout, rules->texts[i]);
		putchar('\n');
	}
}

static int show_info(const struct bundle *bundle)
{
	const struct manifest *manifest = &bundle->manifest;
	const struct sqfs_super *super = &bundle->fs.super;
	char built_by[200];

	show_line("name:", manifest->name);
	show_line("entry:", manifest->entry);
	for (size_t i = 0; i < manifest->invocation_count; i++)
		show_line("invocation:", manifest->invocation[i]);
	show_line("mounted at:", manifest->mount_at);
	for (size_t i = 0; i < manifest->map_count; i++)
		show_line("map:", manifest->maps[i].text);
	if (manifest->writable)
		printf("writable:    a private copy, gone at exit\n");
	show_line("needs:", manifest->needs);
	for (size_t i = 0; i < manifest->arg_count; i++)
		show_line("arg:", manifest->args[i]);
	for (size_t i = 0; i < manifest->variable_count; i++)
		show_variable(&manifest->variables[i]);
	for (size_t i = 0; i < manifest->libc_count; i++)
		show_line("libc:", manifest->libcs[i]);
	if (flavour_is_runner)
		show_root(&manifest->root);
	if (flavour_is_runner)
		show_sandbox(&manifest->sandbox);
	show_start_list(manifest);
	snprintf(built_by, sizeof built_by, "fuselage-bundle %.80s for %.80s", manifest->version,
		 manifest->arch);
	show_line("built by:", built_by);
	printf("runtime:     fuselage %s\n", FUSELAGE_VERSION);
	printf("image:       squashfs 4.0, %s, blocks of %" PRIu32 " bytes, %" PRIu32 " inodes\n",
	       sqfs_compressor_name(super->compressor), super->block_size, super->inode_count);
	printf("image at:    byte %" PRIu64 ", %" PRIu64 " bytes\n", bundle->image_offset,
	       super->bytes_used);
	return 1;
}

static int extract(struct bundle *bundle, char **args, struct failure *failure)
{
	struct extract_request request = { 0 };

	if (extract_options(args, &request, failure) < 0)
		return -1;
	const char *target = args[0] ? args[0] : DEFAULT_DIRECTORY;
	if (args[0] && args[1])
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
			    "--bundle-extract: expected one directory, found \"%.80s\" behind it",
			    args[1]);
	if (extract_bundle(bundle, target, &request, failure) < 0)
		return -1;
	printf("%s\n", target);
	return 1;
}

static int dispatch(struct bundle *bundle, char **args, struct failure *failure)
{
	const char *option = args[0];
	bool alone = !args[1];

	if (strcmp(option, "--bundle-extract") == 0)
		return extract(bundle, args + 1, failure);
	if (alone && strcmp(option, "--bundle-help") == 0)
		return show_help(bundle);
	if (alone && strcmp(option, "--bundle-info") == 0)
		return show_info(bundle);
	if (alone && strcmp(option, "--bundle-offset") == 0) {
		printf("%" PRIu64 "\n", bundle->image_offset);
		return 1;
	}
	if (!alone &&
	    (strcmp(option, "--bundle-help") == 0 || strcmp(option, "--bundle-info") == 0 ||
	     strcmp(option, "--bundle-offset") == 0))
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
			    "%s takes no argument, found \"%.80s\"", option, args[1]);
	return help_refuse(HELP_BUNDLE, PREFIX, option, FUSELAGE_E_OPTION_UNKNOWN, "a bundle",
			   failure);
}

int bundle_options_flush(struct failure *failure)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return fail_errno(failure, FUSELAGE_E_OUTPUT, "standard output");
	return 0;
}

int bundle_options_run(struct bundle *bundle, const struct caller *caller, char **args,
		       struct failure *failure)
{
	if (!bundle->manifest.runtime_options || !args[0] ||
	    strncmp(args[0], PREFIX, sizeof PREFIX - 1) != 0)
		return 0;

	if (privileges_drop(caller, failure) < 0)
		return -1;
	int result = dispatch(bundle, args, failure);
	return result > 0 && bundle_options_flush(failure) < 0 ? -1 : result;
}
