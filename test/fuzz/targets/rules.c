/*
 * Rules of a sandbox. The first byte says how they are given: 0 as records of a manifest, each ended by a NUL byte,
 * 1 as words of a command line, 2 as records, an empty one, and words on top of them.
 */
#include <string.h>

#include "sandbox/sandbox.h"
#include "target.h"

#define LINES_MAX 512

static bool is_within(const struct rule_path *path)
{
	char text[PATH_MAX + 2];

	require(path->length > 0 && path->length < PATH_MAX && *path->path == '/');
	memcpy(text, path->path, path->length);
	text[path->length] = '/';
	text[path->length + 1] = 0;
	return !strstr(text, "/../") && !strstr(text, "/./") &&
	       (path->length == 1 || !strstr(text, "//"));
}

static void check(const struct rules *rules)
{
	require(rules->path_count <= RULES_PATHS && rules->bus_count <= RULES_NAMES);
	require(rules->connect_count <= RULES_PORTS && rules->listen_count <= RULES_PORTS);
	for (size_t i = 0; i < rules->path_count; i++)
		require(rules->paths[i].place != PLACE_PATH || is_within(&rules->paths[i]));
	for (size_t i = 0; i < rules->connect_count; i++)
		require(rules->connect[i] > 0);
	for (size_t i = 0; i < rules->bus_count; i++) {
		size_t length = rules->bus_lengths[i];
		require(length > 2 && length <= 255 && !memchr(rules->bus[i], 0, length));
		require(!memchr(rules->bus[i], '/', length) && !memchr(rules->bus[i], ' ', length));
	}
}

/* What takes away a kind has left none of it, and has added nothing. */
static void deny_kind(struct rules rules, const char *kind)
{
	const struct rules before = rules;
	struct failure failure = { 0 };

	require(rules_deny(&rules, "f", kind, strlen(kind), &failure) == 0);
	check(&rules);
	require((rules.words & ~before.words) == 0);
	require(rules.path_count == (strcmp(kind, "fs") == 0 ? 0 : before.path_count));
	require(rules.bus_count == (strcmp(kind, "ipc") == 0 ? 0 : before.bus_count));
	bool net = strcmp(kind, "net") == 0;
	require(rules.connect_count == (net ? 0 : before.connect_count));
	require(rules.listen_count == (net ? 0 : before.listen_count));
	require(!net || (!rules_have(&rules, RULE_NET_ALL) && !rules_have(&rules, RULE_NET_UDP)));
}

/* The path of a rule, and what is below it, is gone when that path is denied. */
static void deny_path(struct rules rules, const struct rule_path *path)
{
	char text[PATH_MAX + 4] = "fs:";
	struct failure failure = { 0 };

	memcpy(text + 3, path->path, path->length);
	require(rules_deny(&rules, "f", text, path->length + 3, &failure) == 0);
	for (size_t i = 0; i < rules.path_count; i++) {
		const struct rule_path *left = &rules.paths[i];
		require(left->place != PLACE_PATH || left->length < path->length ||
			memcmp(left->path, path->path, path->length) != 0 ||
			(path->length > 1 && left->length > path->length &&
			 left->path[path->length] != '/'));
	}
}

static void deny_port(struct rules rules, uint16_t port)
{
	char text[32];
	struct failure failure = { 0 };
	int length = snprintf(text, sizeof text, "net:connect:%u", port);

	require(rules_deny(&rules, "f", text, (size_t)length, &failure) == 0);
	for (size_t i = 0; i < rules.connect_count; i++)
		require(rules.connect[i] != port);
}

static void deny(const struct rules *rules)
{
	static const char *const kinds[] = { "fs", "net", "devices", "ipc", "exec" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		deny_kind(*rules, kinds[i]);
	for (size_t i = 0; i < rules->path_count; i++)
		if (rules->paths[i].place == PLACE_PATH)
			deny_path(*rules, &rules->paths[i]);
	for (size_t i = 0; i < rules->connect_count; i++)
		deny_port(*rules, rules->connect[i]);
}

/* Returns what is behind them: the words, or NULL. */
static const char *split(const char *text, size_t size, const char **lines)
{
	size_t count = 0;
	const char *end = text + size;

	for (; text < end && *text && count < LINES_MAX; text += strlen(text) + 1)
		lines[count++] = text;
	lines[count] = NULL;
	return text < end ? text + 1 : NULL;
}

static int give(struct sandbox *sandbox, uint8_t how, const char *text, size_t size,
		struct failure *failure)
{
	const char *lines[LINES_MAX + 1], *words = text;

	if (how != 1) {
		words = split(text, size, lines);
		if (*lines && sandbox_declare(sandbox, "f", lines, failure) < 0)
			return -1;
	}
	if (how != 0 && words && sandbox_say(sandbox, "f", words, failure) < 0)
		return -1;
	return sandbox_decide(sandbox, "f", failure);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sandbox sandbox = { 0 };
	struct failure failure = { 0 };

	if (size < 1 || *data > 2)
		return -1;
	char *text = malloc(size);
	require(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	int result = give(&sandbox, *data, text, size - 1, &failure);
	require((result < 0) == (failure.code != FUSELAGE_OK));
	require(result == 0 || failure.code == FUSELAGE_E_SANDBOX_RULE ||
		failure.code == FUSELAGE_E_SANDBOX_CONFLICT);
	require(sandbox.denial_count <= DENIALS_MAX);
	if (result == 0) {
		check(&sandbox.rules);
		deny(&sandbox.rules);
	}
	failure_clear(&failure);
	free(text);
	return 0;
}
