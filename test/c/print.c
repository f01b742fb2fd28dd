/*
 * Compares the runtime's printf with the libc's: every conversion with many flags, widths and
 * precisions, and buffers of every size. Prints what differs; exits 1 when anything does.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int differences;

#define vsnprintf runtime_vsnprintf
#define vfprintf runtime_vfprintf
#define snprintf runtime_snprintf
#define fprintf runtime_fprintf
#define printf runtime_printf
#include "libc/print.c"
#undef vsnprintf
#undef vfprintf
#undef snprintf
#undef fprintf
#undef printf

__attribute__((format(printf, 1, 2))) static void compare(const char *format, ...)
{
	char ours[300], theirs[300];
	va_list arguments, again;

	for (size_t size = 0; size < sizeof ours; size = size < 40 ? size + 1 : size * 2) {
		memset(ours, 'z', sizeof ours);
		memset(theirs, 'z', sizeof theirs);
		va_start(arguments, format);
		va_copy(again, arguments);
		int our_length = runtime_vsnprintf(ours, size, format, arguments);
		int their_length = vsnprintf(theirs, size, format, again);
		va_end(again);
		va_end(arguments);
		if (our_length == their_length && memcmp(ours, theirs, sizeof ours) == 0)
			continue;
		differences++;
		printf("\"%s\" into %zu bytes: %d \"%.*s\", expected %d \"%.*s\"\n", format, size,
		       our_length, (int)size, ours, their_length, (int)size, theirs);
	}
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"

static const char *const shapes[] = { "",    "1",    "7",    "-7",  "07",  ".0",  ".3",
				      "9.4", "-9.4", "09.4", "-.2", "012", "-12", "2.12" };

#define SHAPES (sizeof shapes / sizeof *shapes)

static void compare_integers(const char *flags, const char *length, char kind, const char *shape)
{
	static const int64_t values[] = { 0,	     1,		-1,	 9,	  10,
					  -10,	     255,	4096,	 INT_MAX, INT_MIN,
					  INT64_MAX, INT64_MIN, UINT_MAX };
	char format[40];

	snprintf(format, sizeof format, "a%%%s%s%s%cb", flags, shape, length, kind);
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		if (strchr(length, 'l') || strchr("zjt", *length ? *length : '?'))
			compare(format, values[i]);
		else
			compare(format, (int)values[i]);
	}
}

static void compare_texts(const char *shape)
{
	static const char *const texts[] = { "", "x", "seven77", "a longer text than all widths" };
	char format[40];

	snprintf(format, sizeof format, "<%%%ss>", shape);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		compare(format, texts[i]);
}

static void compare_fractions(void)
{
	/* None of them half way between two results: those the libc rounds to even. */
	static const double values[] = { 0,	 0.001,	  0.26,	   0.994,     0.996,
					 1.04,	 9.96,	  99.999,  -0.26,     -12.3456,
					 1234.5, 1e6 / 3, 1e9 / 7, 123456789, 0.0004 };

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		compare("%.1f", values[i]);
		compare("%.2f ms", values[i]);
		compare("%9.3f|", values[i]);
		compare("%-9.2f|", values[i]);
	}
}

/* A file takes the same text, also what is longer than the buffer on the way. */
static void compare_files(void)
{
	char *text = calloc(1, 5000), *written = NULL;
	size_t size;
	FILE *file = open_memstream(&written, &size);

	memset(text, 'q', 4999);
	int length = runtime_fprintf(file, "%s|%d|%s", text, 42, text);
	fclose(file);
	if (length != 4999 * 2 + 4 || size != (size_t)length || memcmp(written, text, 4999) != 0 ||
	    memcmp(written + 4999, "|42|", 4) != 0 || memcmp(written + 5003, text, 4999) != 0) {
		differences++;
		puts("a long text into a file");
	}
	free(written);
	free(text);
}

int main(void)
{
	static const char *const lengths[] = { "", "hh", "h", "l", "ll", "z", "j", "t" };

	for (size_t shape = 0; shape < SHAPES; shape++) {
		for (size_t length = 0; length < sizeof lengths / sizeof *lengths; length++) {
			for (const char *kind = "diuxXo"; *kind; kind++)
				compare_integers("", lengths[length], *kind, shapes[shape]);
			compare_integers("#", lengths[length], 'x', shapes[shape]);
			compare_integers("#", lengths[length], 'X', shapes[shape]);
		}
		compare_texts(shapes[shape]);
	}
	compare_fractions();
	compare_files();
	compare("100%% of %c, %5c|%-5c|", 'x', 'y', 'z');
	compare("%*d|%-*d|%.*s|%*s", 6, 42, 6, 42, 3, "abcdef", -8, "left");
	compare("%.80s: %" PRIu64 " bytes, %016" PRIx64 ", %zu\n", "name", UINT64_MAX, UINT64_C(7),
		(size_t)9);
	compare("%p", (void *)&differences);
	compare("nothing to convert");
	return differences != 0;
}
