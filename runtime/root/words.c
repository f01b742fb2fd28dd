#include "root/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\n"

/*
 * Copies the word at `text` without what quotes it. Returns what is behind it, or NULL: a quote does not
 * end. Inside of "..." a backslash quotes itself, the double quote, $ and `; inside of '...' nothing does.
 */
static const char *copy_word(const char *text, char **to)
{
	char quote = 0;

	for (; *text && (quote || !strchr(BLANKS, *text)); text++) {
		if (quote ? *text == quote : *text == '"' || *text == '\'') {
			quote = quote ? 0 : *text;
			continue;
		}
		if (*text == '\\' && quote != '\'' && text[1] &&
		    (!quote || strchr("\\\"$`", text[1])))
			text++;
		*(*to)++ = *text;
	}
	*(*to)++ = 0;
	return quote ? NULL : text;
}

char **words_split(const char *text, size_t *count)
{
	size_t length = strlen(text);
	/* Each word has a byte of its own and a blank, or the end, behind it. */
	char **words = malloc((length / 2 + 2) * sizeof *words + length + 2);
	char *to = words ? (char *)(words + length / 2 + 2) : NULL;

	*count = 0;
	if (!words)
		return NULL;
	for (text += strspn(text, BLANKS); *text; text += strspn(text, BLANKS)) {
		words[(*count)++] = to;
		text = copy_word(text, &to);
		if (!text) {
			free(words);
			errno = EINVAL;
			return NULL;
		}
	}
	words[*count] = NULL;
	return words;
}
