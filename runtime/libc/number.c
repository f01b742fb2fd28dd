/*
 * strtoul and strtoull in place of the libc's, for what this program reads: decimal numbers. The libc's
 * take the processor's overflow flag through memory, as its calloc does (calloc.c), and know all bases. One
 * that is not known here ends the program.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

_Static_assert(sizeof(unsigned long) == sizeof(unsigned long long), "one function is both");

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
	const char *at = text;
	unsigned long long value = 0;
	bool fits = true;

	if (base != 10)
		__builtin_trap();
	while (isspace((unsigned char)*at))
		at++;
	bool negative = *at == '-';
	at += negative || *at == '+';
	const char *digits = at;
	for (; *at >= '0' && *at <= '9'; at++) {
		unsigned digit = (unsigned)(*at - '0');
		fits = fits && value <= (ULLONG_MAX - digit) / 10;
		value = value * 10 + digit;
	}
	if (end)
		*end = (char *)(at == digits ? text : at);
	if (fits)
		return negative ? -value : value;
	errno = ERANGE;
	return ULLONG_MAX;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
	return strtoull(text, end, base);
}
