/* Numbers of the host's, in records and lines. */
#ifndef GUEST_DIGITS_H
#define GUEST_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads decimal digits, which nothing stands before: strtoul(3) takes blanks and signs, and makes of "-1" the largest
 * number. Moves `*text` behind them. Returns whether there was one and the number is at most `most`.
 */
bool digits_read(const char **text, uint64_t most, uint64_t *value);

/* The same of a text that has nothing else. */
bool digits_are(const char *text, uint64_t most, uint64_t *value);

#endif
