/* Options as they stand on a command line, by a table of those that there are. */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>

struct option_row {
	const char *name; /* with its dashes */
	char letter; /* 0: none */
	bool value; /* whether it has one */
};

/*
 * Finds the option that `word` is. `*attached` points at a value that stands in the same word
 * (--opt=VALUE, -oVALUE, -o=VALUE) or is NULL. Returns its index or -1.
 */
int option_find(const struct option_row *rows, size_t count, const char *word,
		const char **attached);

/*
 * The name of the row that a mistyped word is closest to, without a value that stands in the word; NULL when
 * none is close: a third of the letters may be wrong, as in builder/config/nearest-name.ts.
 */
const char *option_nearest(const struct option_row *rows, size_t count, const char *word);

#endif
