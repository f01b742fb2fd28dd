/* Text that came from outside, such as the words of an image, for a terminal. */
#ifndef BASE_SHOW_H
#define BASE_SHOW_H

#include <stddef.h>
#include <stdio.h>

/*
 * Copies `text` with \xNN for each byte of a control character or of a mark that turns the direction of
 * writing, so that it can neither rewrite the screen nor pass for a line of ours. A newline with two blanks
 * behind it stays: that is how a failure lists its reasons.
 *
 * At most `size` bytes, at least 13, are written, a NUL at their end among them. Returns what was not copied.
 */
const char *show_text(char *to, size_t size, const char *text);

/* Prints all of `text` so. */
void show_print(FILE *out, const char *text);

#endif
