/* A text taken apart into words, as a shell does it: blanks between them, quotes and backslashes. */
#ifndef ROOT_WORDS_H
#define ROOT_WORDS_H

#include <stddef.h>

/*
 * Returns the words, NULL-terminated and in one allocation with their texts, and their number. Nothing is
 * expanded. NULL and errno: ENOMEM, or EINVAL for a quote that does not end.
 */
char **words_split(const char *text, size_t *count);

#endif
