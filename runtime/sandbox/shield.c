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

/* How much of `path` is a way that was pinned for one of those before it, in bytes. */
static size_t pinned_before(const struct grants *grants, size_t index)
{
	const char *path = grants->files[index];
	size_t longest = 0;

	for (size_t i = 0; i < index; i++) {
		const char *other = grants->files[i];
		size_t same = 0;
		for (size_t at = 0; path[at] && path[at] == other[at]; at++)
			if (path[at] == '/')
				same = at;
		if (same > longest)
			longest = same;
	}
	return longest;
}

/*
 * A directory on the way could be renamed, and another one made in its place: each is pinned once, since a mount
 * costs at the start and at the end of the app. The first `pinned` bytes were.
 */
static int pin_all(const char *base, const char *path, size_t pinned)
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
		if ((last || at + length > pinned) && tree_pin(text, last) < 0)
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
		if (base && pin_all(base, path, pinned_before(grants, i)) < 0 && errno != ENOSYS)
			return fail_errno(failure, FUSELAGE_E_SANDBOX, "%.600s cannot be read-only",
					  path);
	}
	return 0;
}
