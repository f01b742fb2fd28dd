#include "libc/match.h"

#include <stddef.h>
#include <string.h>

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A character of a bracket expression. Returns what stands behind it. */
static const char *take_character(const char *at, unsigned char *c)
{
	if (*at == '\\' && at[1])
		at++;
	*c = (unsigned char)*at;
	return at + 1;
}

/*
 * `at` is behind the "[". Returns what stands behind the "]", or NULL when there is none: then
 * the "[" is a character like any other.
 */
static const char *match_bracket(const char *at, char c, bool *matched)
{
	bool negated = *at == '!' || *at == '^';
	const char *first = at += negated;

	*matched = false;
	while (*at && (*at != ']' || at == first)) {
		unsigned char low, high;
		at = take_character(at, &low);
		high = low;
		if (at[0] == '-' && at[1] && at[1] != ']')
			at = take_character(at + 1, &high);
		*matched |= low <= (unsigned char)c && (unsigned char)c <= high;
	}
	*matched ^= negated;
	return *at ? at + 1 : NULL;
}

/* One character of the path, which is none of "/" and the end. Returns the rest of the pattern. */
static const char *match_one(const char *pattern, char c)
{
	bool matched;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		const char *rest = match_bracket(pattern + 1, c, &matched);
		if (rest)
			return matched ? rest : NULL;
	}
	if (*pattern == '\\' && pattern[1])
		pattern++;
	return *pattern == c ? pattern + 1 : NULL;
}

bool path_matches(const char *pattern, const char *path)
{
	const char *star = NULL, *retry = NULL; /* behind the last "*", and how far it reaches */

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = path;
			continue;
		}
		if (!*pattern && (!*path || *path == '/'))
			return true;
		const char *rest = NULL;
		if (*path == '/')
			rest = *pattern == '/' ? pattern + 1 : NULL;
		else if (*path && *pattern)
			rest = match_one(pattern, *path);
		if (rest) {
			bool wide = *pattern == '?';
			if (*path == '/') /* a star before it has done its part */
				star = NULL;
			pattern = rest;
			path++;
			while (wide && continues(*path))
				path++;
			continue;
		}
		if (!star || !*retry || *retry == '/')
			return false;
		pattern = star;
		path = ++retry;
	}
}
