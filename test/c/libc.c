/* The runtime's own functions in place of the libc's, against the libc's. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define strtoull own_strtoull
#define strtoul own_strtoul
#include "libc/number.c"
#undef strtoull
#undef strtoul

static int wrong;

static void compare(const char *text)
{
	char *own_end, *end;
	errno = 0;
	unsigned long long own = own_strtoull(text, &own_end, 10);
	int own_error = errno;
	errno = 0;
	unsigned long long libcs = strtoull(text, &end, 10);
	int error = errno;

	if (own == libcs && own_end == end && own_error == error &&
	    own_strtoul(text, NULL, 10) == libcs)
		return;
	printf("\"%s\": %llu, %td characters, error %d; the libc: %llu, %td, %d\n", text, own,
	       own_end - text, own_error, libcs, end - text, error);
	wrong = 1;
}

static void compare_numbers(void)
{
	static const char *const texts[] = {
		"",
		" ",
		"+",
		"-",
		"x",
		"0",
		"00",
		"7",
		" 42",
		"-1",
		"+19",
		"\t\n\v\f\r 8 9",
		"12x",
		"0x10",
		"--1",
		"+-1",
		"- 1",
		"1 ",
		"010",
		"/",
		":",
		"\x80"
		"1",
		"-18446744073709551615",
		"-18446744073709551616",
		"99999999999999999999999999999999999999",
		"184467440737095516150",
	};
	char text[64];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		compare(texts[i]);
	/* Around each power of two, and around the largest number. */
	for (int bit = 0; bit < 64; bit++)
		for (int more = -2; more <= 2; more++) {
			snprintf(text, sizeof text, "%llu",
				 (1ull << bit) + (unsigned long long)more);
			compare(text);
		}
	for (int last = 0; last < 30; last++) {
		snprintf(text, sizeof text, "184467440737095516%02d", last);
		compare(text);
	}
}

int main(void)
{
	compare_numbers();
	return wrong;
}
