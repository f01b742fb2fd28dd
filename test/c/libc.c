/* The runtime's own functions in place of the libc's, against the libc's. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define calloc own_calloc
#define strtoull own_strtoull
#define strtoul own_strtoul
#include "libc/calloc.c"
#include "libc/number.c"
#undef calloc
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
		"",    " ",  "+",   "-",    "x",     "0",	"00",	 "7",
		" 42", "-1", "+19", "\t\n\v\f\r 8 9", "12x",	"0x10",	 "--1", "+-1",
		"- 1", "1 ", "010", "/",    ":",     "\x80" "1",
		"-18446744073709551615", "-18446744073709551616",
		"99999999999999999999999999999999999999", "184467440737095516150",
	};
	char text[64];

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		compare(texts[i]);
	/* Around each power of two, and around the largest number. */
	for (int bit = 0; bit < 64; bit++)
		for (int more = -2; more <= 2; more++) {
			snprintf(text, sizeof text, "%llu", (1ull << bit) + (unsigned long long)more);
			compare(text);
		}
	for (int last = 0; last < 30; last++) {
		snprintf(text, sizeof text, "184467440737095516%02d", last);
		compare(text);
	}
}

static void try_calloc(size_t count, size_t size, bool possible)
{
	errno = 0;
	unsigned char *memory = own_calloc(count, size);
	bool zero = true;

	for (size_t i = 0; memory && i < count * size; i++)
		zero = zero && memory[i] == 0;
	if (possible ? !memory || !zero : memory || errno != ENOMEM) {
		printf("calloc(%zu, %zu): %p, error %d\n", count, size, (void *)memory, errno);
		wrong = 1;
	}
	if (memory)
		memset(memory, 0xa5, count * size);
	free(memory);
}

int main(void)
{
	compare_numbers();
	for (int round = 0; round < 2; round++) {
		try_calloc(1, 1, true);
		try_calloc(3, 5, true);
		try_calloc(1, 233376, true);
		try_calloc(1 << 10, 1 << 12, true);
	}
	try_calloc(SIZE_MAX, 2, false);
	try_calloc(2, SIZE_MAX, false);
	try_calloc(SIZE_MAX / 2 + 1, 2, false);
	try_calloc((size_t)1 << 32, (size_t)1 << 32, false);
	try_calloc(SIZE_MAX / 16, 8, false);
	return wrong;
}
