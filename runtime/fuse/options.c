#include "fuse/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_DEFAULT (16ull << 20)
#define CACHE_LEAST (1ull << 20)
#define CACHE_MOST (1ull << 40)

static int parse_size(const char *word, const char *text, size_t length, size_t *size,
		      struct failure *failure)
{
	static const char units[] = "KMG";
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	const char *unit = end < text + length ? strchr(units, *end) : NULL;

	if (unit && value < CACHE_MOST) {
		value <<= 10 * (unit - units + 1);
		end++;
	}
	if (end != text + length || *text < '0' || *text > '9' || errno || value < CACHE_LEAST ||
	    value > CACHE_MOST)
		return fail(failure, FUSELAGE_E_FUSE_OPTION,
			    "FUSELAGE_FUSE=%.80s: expected a size of 1M to 1024G", word);
	*size = (size_t)value;
	return 0;
}

int fuse_options_parse(struct fuse_options *options, const char *text, struct failure *failure)
{
	static const char cache[] = "cache=";

	options->cache_bytes = CACHE_DEFAULT;
	while (text && *text) {
		size_t length = strcspn(text, ",");
		if (strncmp(text, cache, sizeof cache - 1) != 0)
			return fail(failure, FUSELAGE_E_FUSE_OPTION,
				    "FUSELAGE_FUSE: \"%.*s\": expected cache=SIZE",
				    length < 80 ? (int)length : 80, text);
		if (parse_size(text, text + sizeof cache - 1, length - (sizeof cache - 1),
			       &options->cache_bytes, failure) < 0)
			return -1;
		text += length + (text[length] == ',');
	}
	return 0;
}
