#include "root/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "generated/names.h"
#include "generated/run_options.h"
#include "root/words.h"

enum option {
#define OPTION_ENUM(name, text, letter, value) OPTION_##name,
	RUN_OPTIONS(OPTION_ENUM)
#undef OPTION_ENUM
};

static const struct option_row options_known[] = {
#define OPTION_ROW(name, text, letter, value) { text, letter, value },
	RUN_OPTIONS(OPTION_ROW)
#undef OPTION_ROW
};

#define OPTION_COUNT (sizeof options_known / sizeof *options_known)

static int expected(const char *name, const char *what, const char *value, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_RUN_OPTION, "%s: expected %s, found \"%.300s\"", name, what,
		    value);
}

static bool is_user(const char *value)
{
	const char *colon = strchr(value, ':');

	return *value && colon != value && (!colon || (colon[1] && !strchr(colon + 1, ':')));
}

/* HOST, HOST:/INSIDE, HOST:/INSIDE:ro or :rw */
static bool is_volume(const char *value)
{
	const char *inside = strchr(value, ':');
	const char *mode = inside ? strchr(inside + 1, ':') : NULL;

	return *value && inside != value && (!inside || inside[1] == '/') &&
	       (!mode || strcmp(mode, ":ro") == 0 || strcmp(mode, ":rw") == 0);
}

static bool is_size(const char *value)
{
	size_t digits = strspn(value, "0123456789");

	return *value >= '1' && digits > 0 && digits < 16 &&
	       (!value[digits] || (strchr("kKmMgG%", value[digits]) && !value[digits + 1]));
}

static bool is_hostname(const char *value)
{
	size_t length = strlen(value);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)value[i]) && value[i] != '.' && value[i] != '-')
			return false;
	return length > 0 && length <= 64;
}

static int apply(struct run_options *options, enum option option, const char *value,
		 struct failure *failure)
{
	const char *name = options_known[option].name;

	switch (option) {
	case OPTION_VOLUME:
		if (!is_volume(value))
			return expected(name, "HOST, HOST:/INSIDE or HOST:/INSIDE:ro", value,
					failure);
		options->volumes.texts[options->volumes.count++] = value;
		return 0;
	case OPTION_ENV:
		if (!*value || *value == '=')
			return expected(name, "K=V, or K for the caller's value", value, failure);
		options->variables.texts[options->variables.count++] = value;
		return 0;
	case OPTION_WORKDIR:
		options->workdir = value;
		return *value == '/' ? 0 : expected(name, "an absolute path", value, failure);
	case OPTION_USER:
		options->user = value;
		return is_user(value) ? 0 :
					expected(name, "NAME or UID, or either with :GROUP or :GID",
						 value, failure);
	case OPTION_ENTRYPOINT:
		options->entrypoint = value;
		options->shell = false;
		return *value ? 0 : expected(name, "a program", value, failure);
	case OPTION_PERSIST:
		options->persist = value;
		return *value ? 0 : expected(name, "a directory", value, failure);
	case OPTION_TMPFS_SIZE:
		options->tmpfs_size = value;
		return is_size(value) ?
			       0 :
			       expected(name,
					"bytes, with K, M or G behind them, or a share such as 25%",
					value, failure);
	case OPTION_HOSTNAME:
		options->hostname = value;
		return is_hostname(value) ?
			       0 :
			       expected(name, "1 to 64 letters, digits, dots and dashes", value,
					failure);
	case OPTION_SHELL:
		options->shell = true;
		options->entrypoint = NULL;
		return 0;
	case OPTION_PERSIST_RM:
		options->persist_rm = true;
		return 0;
	case OPTION_READ_ONLY:
		options->read_only = true;
		return 0;
	case OPTION_CONTAIN:
		options->contain = options->pid = true;
		return 0;
	case OPTION_PID:
		options->pid = true;
		return 0;
	case OPTION_AS_INIT:
		options->pid = options->as_init = true;
		return 0;
	case OPTION_RANGE:
		options->range = true;
		return 0;
	case OPTION_NO_FAKE:
		options->no_fake = true;
		return 0;
	case OPTION_KEEP_CAPS:
		options->keep_caps = true;
		return 0;
	case OPTION_HELP:
		options->help = true;
		return 0;
	}
	return 0;
}

/* Returns where the options end. */
static char **take(struct run_options *options, char **words, struct failure *failure)
{
	while (*words && (*words)[0] == '-' && (*words)[1]) {
		const char *word = *words++;
		const char *value;
		if (strcmp(word, "--") == 0)
			break;
		int option = option_find(options_known, OPTION_COUNT, word, &value);
		if (option < 0) {
			const char *near = option_nearest(options_known, OPTION_COUNT, word);
			fail(failure, FUSELAGE_E_RUN_OPTION,
			     "%.300s: there is no such option of a start%s%s%s", word,
			     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
			return NULL;
		}
		const char *name = options_known[option].name;
		if (options_known[option].value && !value)
			value = *words ? *words++ : "";
		else if (!options_known[option].value && value) {
			expected(name, "no value", value, failure);
			return NULL;
		}
		if (apply(options, (enum option)option, value ? value : "", failure) < 0)
			return NULL;
	}
	return words;
}

/* Options alone: what follows is what the command line has. */
static int take_all(struct run_options *options, char **words, const char *where,
		    struct failure *failure)
{
	words = take(options, words, failure);
	if (!words)
		return -1;
	return *words ? expected(where, "options", *words, failure) : 0;
}

static int make_room(struct run_options *options, size_t count, struct failure *failure)
{
	*options = (struct run_options){ .tmpfs_size = "25%" };
	options->volumes.texts = calloc(count + 1, sizeof *options->volumes.texts);
	options->variables.texts = calloc(count + 1, sizeof *options->variables.texts);
	if (options->volumes.texts && options->variables.texts)
		return 0;
	return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "options of the start");
}

static size_t count_words(char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

int run_options_read(struct run_options *options, const struct root_config *recorded,
		     char **command_line, char ***args, struct failure *failure)
{
	const char *text = getenv(ENV_FUSELAGE_RUN_OPTIONS);
	size_t count;
	/* Lasts until exec, as the others do. */
	char **words = words_split(text ? text : "", &count);

	if (!words)
		return errno == EINVAL ?
			       fail(failure, FUSELAGE_E_RUN_OPTION,
				    ENV_FUSELAGE_RUN_OPTIONS "=%.300s: a quote does not end",
				    text) :
			       fail(failure, FUSELAGE_E_OUT_OF_MEMORY, ENV_FUSELAGE_RUN_OPTIONS);
	if (make_room(options, recorded->run.count + count + count_words(command_line), failure) <
		    0 ||
	    take_all(options, (char **)(uintptr_t)recorded->run.texts, "RUN", failure) < 0)
		return -1;
	options->recorded_volumes = options->volumes.count;
	const char *persist = options->persist;
	if (take_all(options, words, ENV_FUSELAGE_RUN_OPTIONS, failure) < 0)
		return -1;
	if (command_line) {
		*args = take(options, command_line, failure);
		if (!*args)
			return -1;
	}
	options->recorded_persist = persist && options->persist == persist;
	if (options->persist_rm && !options->persist)
		return expected("--persist-rm", "--persist DIR beside it", "none", failure);
	return 0;
}
