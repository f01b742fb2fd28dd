/*
 * liblzma has a SHA-256 too, but only behind headers that want its whole build configuration. The
 * key of a cached archive is computed at each start, so the processor's own instructions are used
 * where they are: 1.3 GB/s against 0.33.
 */
#include "libc/sha256.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define BLOCK_BYTES 64

/* Of the cube roots of the first 64 primes, the first 32 bits behind the point. */
static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t big_endian(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof value);
	return __builtin_bswap32(value);
}

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value >> bits | value << (32 - bits);
}

/* The schedule keeps only the last sixteen words: the next one takes the place of the oldest. */
static uint32_t next_word(uint32_t words[16], unsigned i)
{
	uint32_t early = words[(i + 1) & 15];
	uint32_t late = words[(i + 14) & 15];

	words[i & 15] += (rotate(early, 7) ^ rotate(early, 18) ^ early >> 3) +
			 (rotate(late, 17) ^ rotate(late, 19) ^ late >> 10) + words[(i + 9) & 15];
	return words[i & 15];
}

static void add_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t words[16];
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
	uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

	for (unsigned i = 0; i < 16; i++)
		words[i] = big_endian(block + 4 * i);
	for (unsigned i = 0; i < 64; i++) {
		uint32_t word = i < 16 ? words[i] : next_word(words, i);
		uint32_t first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
				 ((e & f) ^ (~e & g)) + round_constants[i] + word;
		uint32_t second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
				  ((a & b) ^ (a & c) ^ (b & c));
		h = g;
		g = f;
		f = e;
		e = d + first;
		d = c;
		c = b;
		b = a;
		a = first + second;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

static void add_blocks(uint32_t state[8], const uint8_t *data, size_t count)
{
	for (; count; count--, data += BLOCK_BYTES)
		add_block(state, data);
}

#if defined(__x86_64__)
/* CPUID leaf 7, EBX bit 29: SHA; leaf 1, ECX bits 9 and 19: SSSE3 and SSE4.1. */
static bool has_instructions(void)
{
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 9) || !(c & 1u << 19))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

/*
 * SHA256RNDS2 does two rounds on the state as (A B E F) and (C D G H), highest first; SHA256MSG1
 * and SHA256MSG2 each do half of four schedule words (Intel SDM, volume 2).
 */
__attribute__((target("sha,sse4.1,ssse3"))) static void
add_blocks_fast(uint32_t state[8], const uint8_t *data, size_t count)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)state);
	__m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
	__m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; count; count--, data += BLOCK_BYTES) {
		const __m128i abef_before = abef;
		const __m128i cdgh_before = cdgh;
		__m128i words[4];
		for (size_t i = 0; i < 16; i++) {
			__m128i *word = &words[i & 3];
			if (i < 4) {
				*word = _mm_loadu_si128(
					(const __m128i *)(const void *)(data + 16 * i));
				*word = _mm_shuffle_epi8(*word, swap);
			} else {
				__m128i last = words[(i + 3) & 3];
				__m128i middle = _mm_alignr_epi8(last, words[(i + 2) & 3], 4);
				*word = _mm_sha256msg1_epu32(*word, words[(i + 1) & 3]);
				*word = _mm_sha256msg2_epu32(_mm_add_epi32(*word, middle), last);
			}
			__m128i sum = _mm_add_epi32(
				*word,
				_mm_loadu_si128(
					(const __m128i *)(const void *)(round_constants + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	__m128i feba = _mm_shuffle_epi32(abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#else
static bool has_instructions(void)
{
	return false;
}

#define add_blocks_fast add_blocks
#endif

static void add(struct sha256 *hash, const uint8_t *data, size_t count)
{
	/* Asking costs more than some blocks take: CPUID leaves a virtual machine. */
	if (count >= 256 && has_instructions())
		add_blocks_fast(hash->state, data, count);
	else
		add_blocks(hash->state, data, count);
}

void sha256_init(struct sha256 *hash)
{
	*hash = (struct sha256){ .state = {
					 0x6a09e667,
					 0xbb67ae85,
					 0x3c6ef372,
					 0xa54ff53a,
					 0x510e527f,
					 0x9b05688c,
					 0x1f83d9ab,
					 0x5be0cd19,
				 } };
}

void sha256_update(struct sha256 *hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	size_t held = hash->size % BLOCK_BYTES;

	hash->size += size;
	if (held) {
		size_t part = size < BLOCK_BYTES - held ? size : BLOCK_BYTES - held;
		memcpy(hash->tail + held, bytes, part);
		bytes += part;
		size -= part;
		if (held + part < BLOCK_BYTES)
			return;
		add(hash, hash->tail, 1);
	}
	add(hash, bytes, size / BLOCK_BYTES);
	if (size % BLOCK_BYTES)
		memcpy(hash->tail, bytes + size - size % BLOCK_BYTES, size % BLOCK_BYTES);
}

void sha256_finish(struct sha256 *hash, uint8_t digest[SHA256_SIZE])
{
	uint64_t bits = __builtin_bswap64(hash->size * 8);
	size_t held = hash->size % BLOCK_BYTES;
	uint8_t end[2 * BLOCK_BYTES] = { 0x80 };
	/* A one bit, zeros, and the length in the last 8 bytes of a block. */
	size_t fill = (held < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES) - held;

	memcpy(end + fill - sizeof bits, &bits, sizeof bits);
	sha256_update(hash, end, fill);
	for (size_t i = 0; i < 8; i++) {
		uint32_t word = __builtin_bswap32(hash->state[i]);
		memcpy(digest + 4 * i, &word, sizeof word);
	}
}

void sha256_text(struct sha256 *hash, char text[SHA256_TEXT])
{
	uint8_t digest[SHA256_SIZE];

	sha256_finish(hash, digest);
	for (size_t i = 0; i < sizeof digest; i++) {
		text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	text[SHA256_TEXT - 1] = 0;
}
