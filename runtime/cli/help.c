#include "cli/help.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "libc/find_words.h"

static void unpack(const uint8_t *deflated, size_t size, char *text, size_t room)
{
	z_stream stream = {
		.next_in = (Bytef *)(uintptr_t)deflated,
		.avail_in = (uInt)size,
		.next_out = (Bytef *)text,
		.avail_out = (uInt)room,
	};

	*text = 0;
	if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return;
	inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
}

const char *help_text(enum help which)
{
	static const uint8_t deflated[] = HELP_DEFLATED;
	static char text[HELP_BYTES];

	unpack(deflated, sizeof deflated, text, sizeof text);
	return *text ? text + which : "";
}

/*
 * Letters of the longer word that are neither in what both begin with nor in what both end with behind that: a slip of
 * the fingers is in one place. The distance of base/option.h costs a bundle half a kilobyte more.
 */
static size_t misplaced(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t shorter = a_size < b_size ? a_size : b_size, longer = a_size + b_size - shorter;
	size_t same = 0, behind = 0;

	while (same < shorter && a[same] == b[same])
		same++;
	while (same + behind < shorter && a[a_size - behind - 1] == b[b_size - behind - 1])
		behind++;
	return longer - same - behind;
}

int help_refuse(enum help which, const char *prefix, const char *option, enum fuselage_code code,
		const char *whose, struct failure *failure)
{
	const char *at = help_text(which), *near = "";
	size_t skipped = strlen(prefix), length = strcspn(option + skipped, "=");
	size_t best = length / 2 + 1;
	int letters = 0;

	while ((at = find_words(at, prefix))) {
		size_t size = strcspn(at + skipped, " \n");
		size_t edits = misplaced(option + skipped, length, at + skipped, size);
		if (edits < best) {
			best = edits;
			near = at;
			letters = (int)(skipped + size);
		}
		at += skipped;
	}
	return fail(failure, code, "%.80s: there is no such option of %s%s%.*s%s", option, whose,
		    letters ? "; did you mean " : "", letters, near, letters ? "?" : "");
}

const char *help_run(void)
{
	static const uint8_t deflated[] = HELP_RUN_DEFLATED;
	static char text[HELP_RUN_BYTES];

	unpack(deflated, sizeof deflated, text, sizeof text);
	return text;
}
