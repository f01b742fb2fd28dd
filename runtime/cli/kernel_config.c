#include "cli/kernel_config.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/find_words.h"
#include "squashfs/squashfs.h"

#define TEXT_MAX (1u << 20) /* several times what any distribution has */
#define GZIP_HEADER 10

static size_t read_all(const char *path, uint8_t *text)
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread_full(fd, text, TEXT_MAX, 0);

	return n > 0 ? (size_t)n : 0;
}

/* The kernel's build makes it by gzip -n, so the header has no optional parts. */
static size_t read_compressed(const char *path, uint8_t *text)
{
	OWNED uint8_t *packed = malloc(TEXT_MAX);
	size_t size = packed ? read_all(path, packed) : 0;
	z_stream stream = { .next_out = text, .avail_out = TEXT_MAX };

	if (size <= GZIP_HEADER || inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return 0;
	stream.next_in = packed + GZIP_HEADER;
	stream.avail_in = (uInt)(size - GZIP_HEADER);
	inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	return stream.total_out;
}

int kernel_has_codec(unsigned compressor, char *option)
{
	OWNED uint8_t *text = malloc(TEXT_MAX + 1);
	const char *name = sqfs_compressor_name(compressor);
	char path[16 + sizeof((struct utsname *)0)->release], line[32];
	struct utsname system;

	int n = snprintf(option, 24, "CONFIG_SQUASHFS_%s", compressor == SQFS_GZIP ? "ZLIB" : name);
	for (int i = 0; i < n; i++)
		option[i] = (char)toupper(option[i]);
	if (!text || uname(&system) < 0)
		return -1;
	snprintf(path, sizeof path, "/boot/config-%s", system.release);
	size_t size = read_compressed("/proc/config.gz", text);
	if (!size)
		size = read_all(path, text);
	text[size] = 0;
	snprintf(line, sizeof line, "\n%s=y", option);
	if (find_words((const char *)text, line))
		return 1;
	return size ? 0 : -1;
}
