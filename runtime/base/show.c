#include "base/show.h"

#include <stdint.h>

#define SHOWN 4 /* bytes of \xNN */

/* How many bytes the character at `at` has, when it is one that is not shown as it is; else 0. */
static size_t hidden(const uint8_t *at)
{
	if (*at == '\n')
		return !(at[1] == ' ' && at[2] == ' ');
	if (*at < 0x20 || *at == 0x7f)
		return 1;
	if (*at == 0xc2) /* U+0080 to U+009F, of which terminals know some as escapes */
		return at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
	if (*at != 0xe2)
		return 0;
	/* U+200E, U+200F, U+2028 to U+202E, and U+2066 to U+2069 */
	if (at[1] == 0x80)
		return at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae) ? 3 : 0;
	return at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9 ? 3 : 0;
}

const char *show_text(char *to, size_t size, const char *text)
{
	const char *end = to + size - 1;

	while (*text) {
		size_t count = hidden((const uint8_t *)text);
		if ((size_t)(end - to) < (count ? count * SHOWN : 1))
			break;
		if (!count)
			*to++ = *text++;
		for (; count > 0; count--, to += SHOWN)
			snprintf(to, SHOWN + 1, "\\x%02x", (uint8_t)*text++);
	}
	*to = 0;
	return text;
}

void show_print(FILE *out, const char *text)
{
	char part[256];

	while (*text) {
		text = show_text(part, sizeof part, text);
		fputs(part, out);
	}
}
