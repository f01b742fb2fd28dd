#include "base/option.h"

#include <string.h>

int option_find(const struct option_row *rows, size_t count, const char *word,
		const char **attached)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(rows[i].name);
		*attached = NULL;
		if (strcmp(word, rows[i].name) == 0)
			return (int)i;
		if (strncmp(word, rows[i].name, length) == 0 && word[length] == '=') {
			*attached = word + length + 1;
			return (int)i;
		}
		if (word[0] == '-' && word[1] && word[1] == rows[i].letter) {
			if (word[2] == 0)
				return (int)i;
			if (rows[i].value) {
				*attached = word + 2 + (word[2] == '=');
				return (int)i;
			}
		}
	}
	return -1;
}

#define LETTERS_MAX 40

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) that turn the first `length` letters of `a` into `b`. */
static unsigned distance(const char *a, size_t length, const char *b)
{
	/* Of the row before the last, the last and this one, in turn. */
	unsigned rows[3][LETTERS_MAX + 1];
	size_t columns = strlen(b);

	for (size_t row = 0; row <= length; row++) {
		unsigned *now = rows[row % 3];
		const unsigned *last = rows[(row + 2) % 3], *before = rows[(row + 1) % 3];
		now[0] = (unsigned)row;
		for (size_t i = 1; i <= columns; i++) {
			now[i] = now[i - 1] + 1;
			if (row == 0)
				continue;
			now[i] = least(now[i], last[i] + 1);
			now[i] = least(now[i], last[i - 1] + (a[row - 1] != b[i - 1]));
			if (row > 1 && i > 1 && a[row - 1] == b[i - 2] && a[row - 2] == b[i - 1])
				now[i] = least(now[i], before[i - 2] + 1);
		}
	}
	return rows[length % 3][columns];
}

const char *option_nearest(const struct option_row *rows, size_t count, const char *word)
{
	const char *found = NULL;
	size_t length = strcspn(word, "=");

	if (length > LETTERS_MAX || strncmp(word, "--", 2) != 0)
		return NULL;
	unsigned best = length < 5 ? 2 : (unsigned)(length - 2) / 3 + 1;
	for (size_t i = 0; i < count; i++) {
		unsigned edits = strlen(rows[i].name) > LETTERS_MAX ?
					 best :
					 distance(word, length, rows[i].name);
		if (edits >= best)
			continue;
		best = edits;
		found = rows[i].name;
	}
	return found;
}
