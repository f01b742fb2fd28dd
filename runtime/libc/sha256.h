/* SHA-256 (FIPS 180-4). */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_TEXT (2 * SHA256_SIZE + 1)

struct sha256 {
	uint32_t state[8];
	uint64_t size; /* bytes so far */
	uint8_t tail[64]; /* the unfinished block */
};

void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t size);
void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);
/* The same in lower-case hex digits, terminated. */
void sha256_text(struct sha256 *hash, char text[SHA256_TEXT]);

#endif
