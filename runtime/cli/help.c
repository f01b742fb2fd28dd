#include "cli/help.h"

#include <stdint.h>
#include <zlib.h>

const char *help_text(enum help which)
{
	static const uint8_t deflated[] = HELP_DEFLATED;
	static char text[HELP_BYTES];
	z_stream stream = {
		.next_in = (Bytef *)(uintptr_t)deflated,
		.avail_in = sizeof deflated,
		.next_out = (Bytef *)text,
		.avail_out = sizeof text,
	};

	if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return "";
	inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return text + which;
}
