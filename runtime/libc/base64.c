#include "libc/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

#define TEXT_BYTES 8192 /* on a stack that may be small */

/* Classes of characters; a value is below them all, so that one OR tells of
 * four. */
enum {
	VALUES = 64,
	SPACE = 64,
	NEWLINE = 65,
	PADDING = 66,
	OTHER = 255
};

struct decoder {
	uint8_t class[256];
	uint32_t quad; /* bits of the unfinished four characters */
	unsigned held; /* characters in it, padding included */
	unsigned padding; /* characters of it */
	bool ended; /* padding was there: only white space and comments may follow */
	bool line_start;
	bool comment;
	bool any; /* a byte came out */
};

static void start(struct decoder *decoder)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	*decoder = (struct decoder){ .line_start = true };
	memset(decoder->class, OTHER, sizeof decoder->class);
	for (uint8_t i = 0; i < VALUES; i++)
		decoder->class[(uint8_t)alphabet[i]] = i;
	decoder->class[' '] = decoder->class['\t'] = decoder->class['\r'] = SPACE;
	decoder->class['\v'] = decoder->class['\f'] = SPACE;
	decoder->class['\n'] = NEWLINE;
	decoder->class['='] = PADDING;
}

/* One character that is a value or padding. Returns false when it cannot stand
 * here. */
static bool take(struct decoder *decoder, uint8_t class, uint8_t **out)
{
	if (decoder->ended)
		return false;
	if (class == PADDING) {
		if (decoder->held < 2)
			return false;
		decoder->padding++;
	} else if (decoder->padding) {
		return false;
	}
	decoder->quad = decoder->quad << 6 | (class == PADDING ? 0 : class);
	if (++decoder->held < 4)
		return true;
	for (unsigned i = 0; i < 3 - decoder->padding; i++)
		*(*out)++ = (uint8_t)(decoder->quad >> (16 - 8 * i));
	decoder->ended = decoder->padding > 0;
	decoder->held = decoder->padding = 0;
	decoder->quad = 0;
	decoder->any = true;
	return true;
}

/* Four values at once, as long as nothing else is among them. */
static const uint8_t *take_quads(struct decoder *decoder, const uint8_t *text, const uint8_t *end,
				 uint8_t **out)
{
	const uint8_t *class = decoder->class;
	uint8_t *to = *out;

	if (decoder->held || decoder->ended)
		return text;
	while (end - text >= 4) {
		uint8_t a = class[text[0]];
		uint8_t b = class[text[1]];
		uint8_t c = class[text[2]];
		uint8_t d = class[text[3]];
		if ((a | b | c | d) >= VALUES)
			break;
		to[0] = (uint8_t)(a << 2 | b >> 4);
		to[1] = (uint8_t)(b << 4 | c >> 2);
		to[2] = (uint8_t)(c << 6 | d);
		to += 3;
		text += 4;
		decoder->any = true;
		decoder->line_start = false;
	}
	*out = to;
	return text;
}

/* Returns where `out` ends, or NULL when the text is no base64. */
static uint8_t *decode(struct decoder *decoder, const uint8_t *text, size_t size, uint8_t *out)
{
	const uint8_t *end = text + size;

	while (text < end) {
		if (decoder->comment) {
			text = memchr(text, '\n', (size_t)(end - text));
			if (!text)
				break;
			decoder->comment = false;
		}
		text = take_quads(decoder, text, end, &out);
		if (text == end)
			break;
		uint8_t class = decoder->class[*text];
		if (class == OTHER) {
			if (*text != '#' || !decoder->line_start)
				return NULL;
			decoder->comment = true;
		} else if (class < VALUES || class == PADDING) {
			if (!take(decoder, class, &out))
				return NULL;
		}
		decoder->line_start = class == NEWLINE || (class == SPACE && decoder->line_start);
		text++;
	}
	return out;
}

int base64_decode(int in_fd, int out_fd)
{
	struct decoder decoder;
	uint8_t text[TEXT_BYTES];
	uint8_t data[TEXT_BYTES / 4 * 3 + 3]; /* a quad may be held from the text before */
	uint64_t position = 0;
	ssize_t n;

	start(&decoder);
	/* Editors of other systems put a byte order mark in front. */
	if (pread_full(in_fd, text, 3, 0) == 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		position = 3;
	while ((n = pread_full(in_fd, text, sizeof text, position)) > 0) {
		uint8_t *end = decode(&decoder, text, (size_t)n, data);
		if (!end) {
			errno = EINVAL;
			return -1;
		}
		if (write_full(out_fd, data, (size_t)(end - data)) < 0)
			return -1;
		position += (uint64_t)n;
	}
	if (n < 0)
		return -1;
	if (decoder.held || !decoder.any) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

size_t base64_decode_text(const char *text, size_t length, uint8_t *out)
{
	struct decoder decoder;

	start(&decoder);
	const uint8_t *end = decode(&decoder, (const uint8_t *)text, length, out);
	return !end || decoder.held ? 0 : (size_t)(end - out);
}
