/* Base64 text (RFC 4648, section 4) as people paste it. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes `in_fd`, read from its first byte by position, to where `out_fd`
 * stands. Lines that start with '#', or with white space and '#', are comments;
 * white space, the width of lines and a byte order mark in front are free; '=' fills up the last four characters and is not left out.
 * Memory does not grow with the text. Returns 0, or -1 and errno: EINVAL when
 * it is not base64 text or holds no data; what was written by then stays.
 */
int base64_decode(int in_fd, int out_fd);

/*
 * The same for a text in memory, into `out`, which has room for three quarters of it and three bytes more.
 * Returns how many came out; 0 when it is not base64 text or holds no data.
 */
size_t base64_decode_text(const char *text, size_t length, uint8_t *out);

#endif
