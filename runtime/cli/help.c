#include "cli/help.h"

#include <stdint.h>
#include <zlib.h>

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

const char *help_run(void)
{
	static const uint8_t deflated[] = HELP_RUN_DEFLATED;
	static char text[HELP_RUN_BYTES];

	unpack(deflated, sizeof deflated, text, sizeof text);
	return text;
}
