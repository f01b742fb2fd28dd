#include "guest/root.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "guest/image.h"
#include "kernel/open_within.h"
#include "root/root_start.h"
#include "start/exec.h"

#define TEXT_MAX (1u << 20)

/* A file of the mounted image, "" where it has none. Links lead nowhere out of it. */
static char *read_text(const char *image, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT };
	OWNED_FD base = open(image, O_PATH | O_DIRECTORY | O_CLOEXEC);
	OWNED_FD file = open_within(base, path, how);
	char *text = malloc(TEXT_MAX + 1);
	ssize_t n = text && file >= 0 ? pread_full(file, text, TEXT_MAX, 0) : 0;

	if (text)
		text[n > 0 ? n : 0] = 0;
	return text;
}

static int find_user(struct root_start *root, const char *image, struct failure *failure)
{
	OWNED char *passwd = read_text(image, "/etc/passwd");
	OWNED char *group = read_text(image, "/etc/group");

	if (!passwd || !group)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "/etc/passwd of the image");
	return root_choose_user(root, passwd, group, failure);
}

/* Texts of a command line, and room for as many as there are. */
struct words {
	char **texts;
	size_t count;
};

static void add(struct words *words, const char *text)
{
	words->texts[words->count++] = (char *)(uintptr_t)text;
}

static void add_all(struct words *words, const struct text_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		add(words, list->texts[i]);
}

/* -v HERE:INSIDE, which lasts until exec. */
static void add_volume(struct words *words, const char *here, size_t size, const char *inside)
{
	size_t room = size + strlen(inside) + 2;
	char *text = malloc(room);

	if (!text)
		return;
	snprintf(text, room, "%.*s:%s", (int)size, here, inside);
	add(words, "-v");
	add(words, text);
}

/* What an app in another image's root directory has of its own, at the same paths as without that. */
static void add_places(struct words *words, const struct start *start)
{
	const struct invocation *invocation = &start->invocation;
	const struct archive *archive = &invocation->archives[0];
	char source[2 * PATH_MAX];

	add_volume(words, start->procdir.path, strlen(start->procdir.path), start->procdir.path);
	if (archive->fixed)
		add_volume(words, archive->target, strlen(archive->target), archive->target);
	for (size_t i = 0; i < invocation->map_count; i++) {
		const struct map *map = &invocation->maps[i];
		int n = snprintf(source, sizeof source, "%s/%.*s", archive->target,
				 (int)map->source_size, map->source);
		add_volume(words, source, (size_t)n, map->path);
	}
}

/* Options of the start: those of the host's, and what follows from the rest of the run file. */
static char **command_line(const struct start *start, const struct guest *guest)
{
	const struct run_file *run = &guest->run;
	size_t room = run->words.count + run->args.count + 2 * start->invocation.map_count + 16;
	struct words words = { calloc(room, sizeof *words.texts), 0 };

	if (!words.texts)
		return NULL;
	add_all(&words, &run->words);
	if (run->cwd) {
		add(&words, "-w");
		add(&words, run->cwd);
	}
	if (run->has_root)
		add_places(&words, start);
	add(&words, "--");
	add_all(&words, &run->args);
	return words.texts;
}

/* What is of the host's home, or ends before a start. */
static int check_options(const struct run_options *options, struct failure *failure)
{
	if (!options->help && !options->persist)
		return 0;
	return fail(failure, FUSELAGE_E_RUN_OPTION, "%s: not in a virtual machine",
		    options->help ? "--help" : "--persist");
}

/* The image of the other disk, with this bundle's app in it. */
static int run_inside(struct root_start *root, struct start *start, struct guest *guest,
		      struct failure *failure)
{
	struct archive outer = { .name = "root" };
	struct start around = *start;

	snprintf(outer.target, sizeof outer.target, "%s", GUEST_ROOT_IMAGE);
	around.invocation = (struct invocation){ .archives = &outer, .count = 1 };
	if (root_build(root, &around, failure) < 0)
		return -1;
	if (guest->run.cwd && chdir(guest->run.cwd) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "cwd=%.600s", guest->run.cwd);
	return exec_bundle(start, &guest->app.bundle, root->args, failure);
}

int root_run(struct start *start, struct guest *guest, struct failure *failure)
{
	static struct root_start root;
	/* The options and the arguments point into them for as long as the start lasts. */
	static char **words;
	const struct disk *disk = guest->run.has_root ? &guest->root : &guest->app;
	const char *image = guest->run.has_root ? GUEST_ROOT_IMAGE :
						  start->invocation.archives[0].target;

	words = command_line(start, guest);
	root = (struct root_start){
		.bundle = &disk->bundle,
		.persist = { .directory = -1, .lock = -1, .watcher = -1 },
		.initial = true,
	};
	if (!words)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "arguments");
	/* Process 1 keeps seeing what it has mounted. */
	if (unshare(CLONE_NEWNS) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "mount namespace");
	if (run_options_read(&root.options, &disk->bundle.manifest.root, words, &root.args,
			     failure) < 0 ||
	    check_options(&root.options, failure) < 0 || find_user(&root, image, failure) < 0)
		return -1;
	if (guest->run.has_root)
		return run_inside(&root, start, guest, failure);
	start->root = &root;
	return root_exec(&root, start, failure);
}
