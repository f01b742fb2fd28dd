#include "cli/mount_helper.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuse/fuse_options.h"

#define NAME "mount.fuselage"

bool mount_helper_is_called(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	return strcmp(slash ? slash + 1 : argv0, NAME) == 0;
}

static char *joined(const char *before, const char *text)
{
	size_t size = strlen(before) + strlen(text) + 1;
	char *made = malloc(size);

	if (made)
		snprintf(made, size, "%s%s", before, text);
	return made;
}

/* mount(8) says rw where nobody says ro, also of what cannot be written to. */
static void drop_writable(char *words)
{
	char *out = words;

	for (char *in = words; *in;) {
		size_t length = fuse_option_length(in);
		bool last = !in[length];
		if (length != 2 || memcmp(in, "rw", 2) != 0) {
			if (out != words)
				*out++ = ',';
			memmove(out, in, length);
			out += length;
		}
		in += length + !last;
	}
	*out = 0;
}

char **mount_helper_arguments(char **args, bool *fake, struct failure *failure)
{
	static char *made[6];
	const char *operands[2] = { NULL, NULL };
	const char *options = NULL;
	size_t count = 0, n = 0;

	*fake = false;
	for (char **arg = args; *arg; arg++) {
		const char *letter = *arg + 1;
		if (**arg != '-' || !*letter) {
			if (count == 2)
				return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
					    NAME ": expected SPEC DIR, found \"%.80s\" behind it",
					    *arg),
				       NULL;
			operands[count++] = *arg;
			continue;
		}
		for (; *letter; letter++) {
			if (strchr("snv", *letter)) /* sloppy, no table of mounts, verbose */
				continue;
			if (*letter == 'f') {
				*fake = true;
				continue;
			}
			const char *value = letter[1] ? letter + 1 : arg[1];
			if (!strchr("ot", *letter) || !value)
				return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
					    NAME ": \"%.80s\": expected -o OPTIONS, -t TYPE, -s, "
						 "-f, -n or -v",
					    *arg),
				       NULL;
			if (*letter == 'o')
				options = value;
			arg += !letter[1];
			break;
		}
	}
	if (count < 2)
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN, NAME ": expected SPEC DIR"), NULL;
	made[n++] = joined("--mount=", operands[0]);
	if (options) {
		char *option = made[n++] = joined("--options=", options);
		if (option)
			drop_writable(option + strlen("--options="));
	}
	made[n++] = (char *)"--";
	made[n++] = (char *)(uintptr_t)operands[1];
	for (size_t i = 0; i < n; i++)
		if (!made[i])
			return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, NAME), NULL;
	return made;
}
