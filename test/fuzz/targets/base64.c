/* Base64 text, against a decoder that takes one character after the other. */
#include "libc/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

#define TEXT_MAX (1u << 16)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Without comments and white space. False for a character that may not be there. */
static bool squeeze(const uint8_t *data, size_t size, char *out, size_t *length)
{
	static const uint8_t mark[] = { 0xef, 0xbb, 0xbf };
	bool line_start = true;
	size_t first = size >= 3 && memcmp(data, mark, 3) == 0 ? 3 : 0;

	*length = 0;
	for (size_t i = first; i < size; i++) {
		if (data[i] == '#' && line_start) {
			while (i < size && data[i] != '\n')
				i++;
			continue;
		}
		bool space = data[i] && strchr(" \t\r\v\f\n", data[i]);
		line_start = data[i] == '\n' || (space && line_start);
		if (space)
			continue;
		if (!data[i] || (data[i] != '=' && !strchr(alphabet, data[i])))
			return false;
		out[(*length)++] = (char)data[i];
	}
	return true;
}

/* Returns the number of bytes, or -1 for what is no base64. */
static long expected(const char *text, size_t length, uint8_t *out)
{
	size_t values = length;
	long count = 0;
	unsigned bits = 0;

	while (values && text[values - 1] == '=')
		values--;
	if (length == 0 || length % 4 || length - values > 2 || memchr(text, '=', values))
		return -1;
	for (size_t i = 0; i < values; i++) {
		bits = bits << 6 | (unsigned)(strchr(alphabet, text[i]) - alphabet);
		if (i % 4)
			out[count++] = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX];
	static uint8_t wanted[TEXT_MAX], got[TEXT_MAX];
	static int out = -1;
	size_t length;

	if (size > TEXT_MAX)
		return -1;
	if (out < 0)
		out = memfd_create("output", MFD_CLOEXEC);
	require(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	int result = base64_decode(input_file(data, size), out);
	long count = squeeze(data, size, text, &length) ? expected(text, length, wanted) : -1;
	require((result == 0) == (count >= 0));
	if (result < 0)
		require(errno == EINVAL);
	else
		require(pread(out, got, sizeof got, 0) == count &&
			memcmp(got, wanted, (size_t)count) == 0);
	return 0;
}
