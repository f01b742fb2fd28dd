/*
 * What a file of sandbox.d says. The first line is the name of the bundle, the rest is the file. What is taken of it
 * is told apart by a second reader, and said to a sandbox as a start says it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/policy.h"
#include "sandbox/sandbox.h"
#include "target.h"

static struct bundle bundle;

/* Lines that have words at all. */
static size_t count_lines(char *text)
{
	size_t count = 0;

	for (char *line = text, *rest; line; line = rest) {
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = 0;
		line[strcspn(line, "#")] = 0;
		count += strchr(line, '=') != NULL;
	}
	return count;
}

static void check(const struct policy_lines *lines, char *copy)
{
	require(lines->count <= POLICY_LINES_MAX && lines->count <= count_lines(copy));
	for (size_t i = 0; i < lines->count; i++) {
		struct sandbox sandbox = { 0 };
		struct failure failure = { 0 };
		const char *words = lines->list[i].words;
		require(*words && !strpbrk(words, "\n#") && !*lines->list[i].where);
		/* What is before it is gone. */
		require(strcmp(words, "off") != 0 || i == 0);
		int said = sandbox_say(&sandbox, "f", words, &failure);
		require((said < 0) == (failure.code != FUSELAGE_OK));
		failure_clear(&failure);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bundle.file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = { 0 };
	struct policy_lines lines = { .count = 0 };
	char *text = malloc(size + 1);

	require(text);
	memcpy(text, data, size);
	text[size] = 0;
	char *file = strchr(text, '\n');
	if (file && strlen(text) == size) {
		*file++ = 0;
		char *copy = strdup(file);
		bundle.manifest.name = text;
		int taken = sandbox_policy_parse(&lines, file, &bundle, &failure);
		require((taken < 0) == (failure.code != FUSELAGE_OK));
		if (taken == 0)
			check(&lines, copy);
		struct sandbox_policy policy = { .user = lines };
		const char *who = sandbox_policy_demands(&policy, NULL);
		require(!who || lines.count > 0);
		free(copy);
	}
	failure_clear(&failure);
	free(text);
	return 0;
}
