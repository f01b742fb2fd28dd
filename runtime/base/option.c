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
