/* Texts in buffers of a fixed size: what does not fit is cut, and never written behind the end. */
#ifndef STUBS_TEXT_H
#define STUBS_TEXT_H

#include <stddef.h>

static inline size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length])
		length++;
	return length;
}

/* Appends at `at`, in a buffer that ends at `end`. Returns where the NUL stands. */
static inline char *text_put(char *at, const char *end, const char *from)
{
	while (*from && at + 1 < end)
		*at++ = *from++;
	*at = 0;
	return at;
}

/* The value of an entry of the environment: of "NAME=value" with this name, else NULL. */
static inline const char *text_value(const char *entry, const char *name)
{
	while (*name)
		if (*entry++ != *name++)
			return NULL;
	return *entry == '=' ? entry + 1 : NULL;
}

static inline int text_same(const char *one, const char *other)
{
	while (*one && *one == *other) {
		one++;
		other++;
	}
	return *one == *other;
}

/* Takes the last component of an absolute path off. Returns the new end, or NULL: there is none. */
static inline char *text_cut(char *path)
{
	char *end = path + text_length(path);

	while (end > path && *end != '/')
		end--;
	if (*end != '/')
		return NULL;
	*end = 0;
	return end;
}

#endif
