#include "sandbox/shield.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kernel/trees.h"

/* Where `path` is below a directory that the app may write to, the outermost such. */
static const char *writable_above(const struct grants *grants, const char *path)
{
	const char *found = NULL;
	size_t shortest = PATH_MAX;

	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		size_t length = strlen(grant->path);
		if (grant->kept && grant->rights & GRANT_WRITE && length < shortest &&
		    grant_is_in(path, grant->path)) {
			found = grant->path;
			shortest = length;
		}
	}
	return found;
}

/* A directory on the way could be renamed, and another one made in its place. */
static int pin_all(const char *base, const char *path)
{
	char text[PATH_MAX];
	size_t at = strlen(base);

	snprintf(text, sizeof text, "%s", path);
	/* The file itself was named by the rule. */
	if (!text[at])
		return tree_pin(text, true);
	for (at += text[at] == '/'; text[at]; at++) {
		size_t length = strcspn(text + at, "/");
		bool last = !text[at + length];
		text[at + length] = 0;
		if (tree_pin(text, last) < 0)
			return -1;
		at += length;
		if (last)
			break;
		text[at] = '/';
	}
	return 0;
}

int shield(const struct grants *grants, struct failure *failure)
{
	for (size_t i = 0; i < grants->file_count; i++) {
		const char *path = grants->files[i], *base = writable_above(grants, path);
		if (base && pin_all(base, path) < 0 && errno != ENOSYS)
			return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be read-only",
					  path);
	}
	return 0;
}
