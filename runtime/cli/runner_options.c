/* Options of the runner: a table (scripts/spec/options.json), and one pass over argv. */
#include "cli/runner_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "generated/runner_options.h"
#include "generated/names.h"

enum option {
#define OPTION_ENUM(name, text, letter, value, behind_run, optional) OPTION_##name,
	RUNNER_OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
};

static const struct option_row options[] = {
#define OPTION_ROW(name, text, letter, value, behind_run, optional) { text, letter, value },
	RUNNER_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

static const bool counts_behind_run[] = {
#define OPTION_BEHIND(name, text, letter, value, behind_run, optional) behind_run,
	RUNNER_OPTIONS(OPTION_BEHIND)
#undef OPTION_BEHIND
};

static const bool may_lack_value[] = {
#define OPTION_OPTIONAL(name, text, letter, value, behind_run, optional) optional,
	RUNNER_OPTIONS(OPTION_OPTIONAL)
#undef OPTION_OPTIONAL
};

#define OPTION_COUNT (sizeof options / sizeof *options)

/*
 * Behind --run PATH come the program's own arguments, but archives may still follow: a text file
 * that is its own archive starts with "#!/usr/bin/env -S fuselage --run PATH --static". What is for
 * a line that runs nothing is the program's there: an app has options of those names too.
 */
static bool belongs_to_program(int option)
{
	return option < 0 || !counts_behind_run[option];
}

static int add_archive(struct invocation *invocation, enum archive_use use, const char *option,
		       const char *value, const char *self, struct failure *failure)
{
	struct archive *archive = &invocation->archives[invocation->count];

	if (archive_parse(archive, use, option, value, self, failure) < 0)
		return -1;
	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *other = &invocation->archives[i];
		if (other->fixed == archive->fixed && strcmp(other->name, archive->name) == 0)
			return fail(
				failure, FUSELAGE_E_ARCHIVE_NAME,
				"%s=%.300s: the name \"%s\" is taken by %s%s%.300s: give one of "
				"them another, as in %s=NAME:%.300s",
				option, value, archive->name, other->option,
				other->file ? "=" : " ", other->file ? other->file : other->name,
				option, archive->file ? archive->file : "");
	}
	invocation->count++;
	return 0;
}

/* `choices` are strings one after the other, and an empty one at the end. */
static bool is_choice(const char *value, const char *choices)
{
	for (; *choices; choices += strlen(choices) + 1)
		if (strcmp(value, choices) == 0)
			return true;
	return false;
}

int runner_options_check_mount_type(const char *name, const char *value, struct failure *failure)
{
	if (is_choice(value, RUNNER_MOUNT_TYPE_CHOICES))
		return 0;
	return fail(failure, FUSELAGE_E_MOUNT_OPTION, "%s=%.80s: expected " RUNNER_MOUNT_TYPE_WORDS,
		    name, value);
}

static int take_once(const char **place, const char *name, const char *value,
		     struct failure *failure)
{
	if (*place || !*value)
		return fail(failure, FUSELAGE_E_USAGE, "%s=%.300s: expected one value, found %s",
			    name, value, *place ? "two" : "none");
	*place = value;
	return 0;
}

static int add_variable(struct invocation *invocation, unsigned tag, const char *value,
			struct failure *failure)
{
	if (*value == '=' || !strchr(value, '='))
		return fail(failure, FUSELAGE_E_USAGE, "\"%.300s\": expected NAME=VALUE", value);
	invocation->variables[invocation->variable_count++] = (struct variable){ tag, value };
	return 0;
}

static int apply(struct invocation *invocation, enum option option, const char *value,
		 const char *self, struct failure *failure)
{
	struct mount_request *mount = &invocation->mount;
	const char *name = options[option].name;

	switch (option) {
	case OPTION_STATIC:
		return add_archive(invocation, ARCHIVE_STATIC, name, value, self, failure);
	case OPTION_DYNAMIC:
		return add_archive(invocation, ARCHIVE_DYNAMIC, name, value, self, failure);
	case OPTION_DYNAMIC_EMPTY:
		return add_archive(invocation, ARCHIVE_EMPTY, name, value, self, failure);
	case OPTION_CACHE_STATIC:
		invocation->cache_static = true;
		return 0;
	case OPTION_RUN:
		if (invocation->run)
			return fail(failure, FUSELAGE_E_USAGE,
				    "--run=%.300s: given twice; write -- before the program's own",
				    value);
		if (!*value)
			return fail(failure, FUSELAGE_E_USAGE,
				    "--run: expected a path, found none");
		invocation->run = value;
		return 0;
	case OPTION_ENV:
		return add_variable(invocation, FUSELAGE_MANIFEST_ENV, value, failure);
	case OPTION_ENV_DEFAULT:
		return add_variable(invocation, FUSELAGE_MANIFEST_ENV_DEFAULT, value, failure);
	case OPTION_ENV_PREPEND:
		return add_variable(invocation, FUSELAGE_MANIFEST_ENV_PREPEND, value, failure);
	case OPTION_ENV_APPEND:
		return add_variable(invocation, FUSELAGE_MANIFEST_ENV_APPEND, value, failure);
	case OPTION_BIND:
		return map_parse(&invocation->maps[invocation->map_count++], value, failure);
	case OPTION_SANDBOX:
		if (invocation->sandbox)
			return fail(failure, FUSELAGE_E_USAGE,
				    "--sandbox=%.300s: given twice; rules have commas between them",
				    value);
		invocation->sandbox = value;
		return 0;
	case OPTION_MAP_ROOT_USER:
		invocation->map_root_user = true;
		return 0;
	case OPTION_MOUNT_TYPE:
		invocation->mount_type = value;
		return runner_options_check_mount_type(name, value, failure);
	case OPTION_MOUNT:
	case OPTION_MOUNT_FD:
		mount->handover = option == OPTION_MOUNT_FD;
		return take_once(&mount->file, name, value, failure);
	case OPTION_OPTIONS:
		return take_once(&mount->options, name, value, failure);
	case OPTION_FOREGROUND:
		mount->foreground = true;
		return 0;
	case OPTION_CONTAINER:
		mount->container = true;
		return 0;
	case OPTION_HELP:
		invocation->help = true;
		return 0;
	case OPTION_VERSION:
		invocation->version = true;
		return 0;
	case OPTION_DOCTOR:
		invocation->doctor = value;
		if (is_choice(value, RUNNER_DOCTOR_CHOICES))
			return 0;
		return fail(failure, FUSELAGE_E_USAGE,
			    "--doctor=%.80s: expected " RUNNER_DOCTOR_WORDS, value);
	}
	return 0;
}

/* NAME/DIR: whose folder it is. */
static int find_archive(const struct invocation *invocation, struct map *map,
			struct failure *failure)
{
	size_t length = strcspn(map->source, "/=");

	for (size_t i = 0; i < invocation->count; i++) {
		const char *name = invocation->archives[i].name;
		if (strlen(name) != length || memcmp(name, map->source, length) != 0)
			continue;
		map->archive = i;
		if (map->source[length] == '/') {
			map->source += length + 1;
			map->source_size -= length + 1;
		} else {
			map->source = ".";
			map->source_size = 1;
		}
		return 0;
	}
	return fail(failure, FUSELAGE_E_MAP_SOURCE,
		    "--bind=%.600s: there is no archive of the name %.*s", map->text, (int)length,
		    map->source);
}

static int check_maps(const struct invocation *invocation, struct failure *failure)
{
	for (size_t i = 0; i < invocation->map_count; i++)
		if (find_archive(invocation, &invocation->maps[i], failure) < 0)
			return -1;
	return maps_check(invocation->maps, invocation->map_count, failure);
}

/* A directory, or with --mount-fd none: whoever is at the other end chooses it. */
static int check_mount(const struct invocation *invocation, struct failure *failure)
{
	const struct mount_request *mount = &invocation->mount;
	char **directory = invocation->command;

	if (!mount->file || invocation->count || invocation->run || invocation->doctor ||
	    invocation->map_count || mount->handover + mount->foreground + mount->container > 1)
		return fail(
			failure, FUSELAGE_E_USAGE,
			"expected --mount=FILE [--options=...] [--foreground|--container] DIR, or "
			"--mount-fd=FILE [--options=...], and no other option");
	if (mount->handover ? *directory != NULL : !*directory || directory[1])
		return fail(failure, FUSELAGE_E_USAGE, "%.300s: expected %s directory", mount->file,
			    mount->handover ? "no" : "one");
	return 0;
}

static int check_whole(const struct invocation *invocation, struct failure *failure)
{
	const struct mount_request *mount = &invocation->mount;

	if (invocation->help || invocation->version)
		return 0;
	if (mount->file || mount->options || mount->foreground || mount->container)
		return check_mount(invocation, failure);
	if (check_maps(invocation, failure) < 0)
		return -1;
	if (invocation->doctor && (invocation->count == 0 || invocation->command[0]))
		return fail(failure, FUSELAGE_E_USAGE,
			    "--doctor=%s: expected an archive and no command", invocation->doctor);
	if (invocation->doctor)
		return 0;
	if (invocation->run && invocation->count == 0)
		return fail(failure, FUSELAGE_E_USAGE,
			    "--run=%.300s: expected at least one archive to search "
			    "(--static, --dynamic or --dynamic-empty)",
			    invocation->run);
	if (!invocation->run && !invocation->command[0])
		return fail(failure, FUSELAGE_E_USAGE, "expected a command, or --run PATH");
	return 0;
}

static int fail_unknown(const char *argument, struct failure *failure)
{
	const char *near = option_nearest(options, OPTION_COUNT, argument);

	return fail(failure, FUSELAGE_E_USAGE, "%.300s: there is no such option%s%s%s", argument,
		    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int runner_options_parse(struct invocation *invocation, char **argv, const char *self,
			 struct failure *failure)
{
	const char *mount_type = getenv(ENV_FUSELAGE_MOUNT);
	size_t arguments = 0;

	while (argv[arguments])
		arguments++;
	*invocation = (struct invocation){
		.mount_type = mount_type && *mount_type ? mount_type : "auto",
	};
	if (runner_options_check_mount_type(ENV_FUSELAGE_MOUNT, invocation->mount_type, failure) <
	    0)
		return -1;
	invocation->archives = calloc(arguments + 1, sizeof *invocation->archives);
	invocation->variables = calloc(arguments + 1, sizeof *invocation->variables);
	invocation->maps = calloc(arguments + 1, sizeof *invocation->maps);
	if (!invocation->archives || !invocation->variables || !invocation->maps)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "archives");

	/* A lone "-" is a command like any other. */
	while (*argv && (*argv)[0] == '-' && (*argv)[1]) {
		const char *argument = *argv;
		const char *value;
		int option = option_find(options, OPTION_COUNT, argument, &value);
		if (invocation->run && belongs_to_program(option) && strcmp(argument, "--") != 0)
			break;
		argv++;
		if (strcmp(argument, "--") == 0)
			break;
		if (option < 0)
			return fail_unknown(argument, failure);
		if (!options[option].value && value)
			return fail(failure, FUSELAGE_E_USAGE,
				    "%s takes no value, found \"%.300s\"", options[option].name,
				    value);
		if (options[option].value && !value && !may_lack_value[option]) {
			if (!*argv)
				return fail(failure, FUSELAGE_E_USAGE, "%s: expected a value",
					    options[option].name);
			value = *argv++;
		}
		if (apply(invocation, (enum option)option, value ? value : "", self, failure) < 0)
			return -1;
	}
	invocation->command = argv;
	return check_whole(invocation, failure);
}
