#include "sandbox/words.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/show.h"
#include "generated/permissions.h"

struct worded {
	const char *name;
	const char *text;
	bool value; /* stands behind the name */
};

#define PLAIN(name, text) { name, text, false },
#define VALUED(name, text, value) { name, text, value },
static const struct worded uses[] = { PERMISSION_ACCESS(PLAIN) };
static const struct worded places[] = { PERMISSION_PLACES(PLAIN) };
static const struct worded rules[] = { PERMISSION_RULES(VALUED) };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *text_of(const struct worded *list, size_t count, const char *name, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i].name) == length && memcmp(list[i].name, name, length) == 0)
			return list[i].text;
	return NULL;
}

/* "fs PLACE ACCESS" */
static bool print_files(FILE *out, const char *rule)
{
	const char *access = strrchr(rule, ' '), *place = rule + 3;

	if (strncmp(rule, "fs ", 3) != 0 || access <= place)
		return false;
	size_t length = (size_t)(access - place);
	const char *use = text_of(uses, COUNT(uses), access + 1, strlen(access + 1));
	const char *text = text_of(places, COUNT(places), place, length);
	if (!use)
		return false;
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%.*s", (int)length, place);
	fprintf(out, "%s ", use);
	show_print(out, text ? text : path);
	return true;
}

void sandbox_print_words(FILE *out, const char *rule)
{
	if (print_files(out, rule))
		return;
	for (size_t i = 0; i < COUNT(rules); i++) {
		size_t length = strlen(rules[i].name);
		if (strncmp(rule, rules[i].name, length) != 0 ||
		    rule[length] != (rules[i].value ? ' ' : 0))
			continue;
		fputs(rules[i].text, out);
		show_print(out, rule + length);
		return;
	}
	show_print(out, rule);
}
