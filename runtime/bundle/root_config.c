#include "bundle/root_config.h"

#include <stdlib.h>
#include <string.h>

#include "generated/spec.h"

int text_list_init(struct text_list *list, size_t count)
{
	list->texts = calloc(count + 1, sizeof *list->texts);
	return list->texts ? 0 : -1;
}

int root_config_init(struct root_config *config, size_t count)
{
	struct text_list *lists[] = { &config->cmd, &config->run, &config->ports, &config->volumes,
				      &config->labels };

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (text_list_init(lists[i], count) < 0)
			return -1;
	return 0;
}

bool root_config_has(unsigned tag)
{
	return tag >= FUSELAGE_MANIFEST_ROOT && tag <= FUSELAGE_MANIFEST_SOURCE;
}

static int unfit(const char *file, const char *record, const char *value, const char *expected,
		 struct failure *failure)
{
	return fail(failure, FUSELAGE_E_MANIFEST_MALFORMED,
		    "%s: manifest: %s: expected %s, found \"%.80s\"", file, record, expected,
		    value);
}

static void add(struct text_list *list, const char *text)
{
	list->texts[list->count++] = text;
}

static bool is_user(const char *text)
{
	const char *colon = strchr(text, ':');

	return *text && colon != text && (!colon || (colon[1] && !strchr(colon + 1, ':')));
}

int root_config_take(struct root_config *config, const char *file, unsigned tag, const char *value,
		     struct failure *failure)
{
	switch (tag) {
	case FUSELAGE_MANIFEST_ROOT:
		if (strcmp(value, "image") != 0)
			return fail(failure, FUSELAGE_E_MANIFEST_VERSION,
				    "%s: manifest: ROOT \"%.80s\" is not known to runtime %s", file,
				    value, FUSELAGE_VERSION);
		config->is_root = true;
		return 0;
	case FUSELAGE_MANIFEST_CMD:
		add(&config->cmd, value);
		return 0;
	case FUSELAGE_MANIFEST_USER:
		if (!is_user(value))
			return unfit(file, "USER", value,
				     "NAME or UID, or either with :GROUP or :GID", failure);
		config->user = value;
		return 0;
	case FUSELAGE_MANIFEST_WORKDIR:
		if (*value != '/')
			return unfit(file, "WORKDIR", value, "an absolute path", failure);
		config->workdir = value;
		return 0;
	case FUSELAGE_MANIFEST_RUN:
		add(&config->run, value);
		return 0;
	case FUSELAGE_MANIFEST_PORT:
		add(&config->ports, value);
		return 0;
	case FUSELAGE_MANIFEST_VOLUME:
		if (*value != '/')
			return unfit(file, "VOLUME", value, "an absolute path", failure);
		add(&config->volumes, value);
		return 0;
	case FUSELAGE_MANIFEST_STOP_SIGNAL:
		config->stop_signal = value;
		return 0;
	case FUSELAGE_MANIFEST_LABEL:
		add(&config->labels, value);
		return 0;
	default:
		config->source = value;
		return 0;
	}
}
