#include "libc/find_words.h"

#include <stddef.h>
#include <string.h>

const char *find_words(const char *text, const char *words)
{
	size_t length = strlen(words);

	for (; *text; text++)
		if (strncmp(text, words, length) == 0)
			return text;
	return NULL;
}
