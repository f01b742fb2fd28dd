/*
 * The runtime's functions for memory against loops that go byte by byte: sizes around each step, from and to
 * every place in a chunk, overlapping by every distance. Prints what differs; exits 1 when anything does.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define memcpy own_memcpy
#define memmove own_memmove
#define memset own_memset
#define memcmp own_memcmp
#define bcmp own_bcmp
#include "libc/memory.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef bcmp

#define CHUNK 16
#define MOST 150

static int wrong;

static void say(const char *what, size_t size, size_t to, size_t from)
{
	printf("%s of %zu bytes, to %zu from %zu\n", what, size, to, from);
	wrong++;
}

/* Of exactly this size, so that AddressSanitizer sees what goes beyond. */
static uint8_t *pattern(size_t size, unsigned seed)
{
	uint8_t *bytes = malloc(size ? size : 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256 + seed);
	return bytes;
}

static bool same(const uint8_t *a, const uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static void copy_by_bytes(uint8_t *to, const uint8_t *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = from[i];
}

static void check_copy(size_t size, size_t to, size_t from)
{
	uint8_t *target = pattern(to + size, 1), *expected = pattern(to + size, 1);
	uint8_t *source = pattern(from + size, 100);

	copy_by_bytes(expected + to, source + from, size);
	if (own_memcpy(target + to, source + from, size) != target + to ||
	    !same(target, expected, to + size))
		say("memcpy", size, to, from);
	if (own_memcmp(target + to, source + from, size) ||
	    own_bcmp(target + to, source + from, size))
		say("memcmp of equal", size, to, from);
	free(target);
	free(expected);
	free(source);
}

static void check_move(size_t size, size_t to, size_t from)
{
	size_t all = size + (to > from ? to : from);
	uint8_t *bytes = pattern(all, 1), *expected = pattern(all, 1), *before = pattern(all, 1);

	copy_by_bytes(expected + to, before + from, size);
	if (own_memmove(bytes + to, bytes + from, size) != bytes + to ||
	    !same(bytes, expected, all))
		say("memmove", size, to, from);
	free(bytes);
	free(expected);
	free(before);
}

static void check_set(size_t size, size_t to)
{
	uint8_t *bytes = pattern(to + size, 1), *expected = pattern(to + size, 1);

	for (size_t i = 0; i < size; i++)
		expected[to + i] = 0xa5;
	if (own_memset(bytes + to, 0x7a5, size) != bytes + to || !same(bytes, expected, to + size))
		say("memset", size, to, 0);
	free(bytes);
	free(expected);
}

/* A difference at each place, of either sign, with others of the other sign behind it. */
static void check_compare(size_t size, size_t to)
{
	uint8_t *a = pattern(to + size, 1), *b = pattern(size, 1 + (unsigned)to * 7);

	for (size_t at = 0; at < size; at++) {
		uint8_t kept = b[at];
		for (int way = -1; way <= 1; way += 2) {
			a[to + at] = (uint8_t)(128 + way);
			b[at] = 128;
			if (at + 1 < size)
				b[at + 1] ^= 0x80;
			int found = own_memcmp(a + to, b, size);
			if ((found > 0) - (found < 0) != way || !own_bcmp(a + to, b, size))
				say("memcmp", size, to, at);
			if (at + 1 < size)
				b[at + 1] ^= 0x80;
		}
		a[to + at] = b[at] = kept;
	}
	free(a);
	free(b);
}

int main(void)
{
	for (size_t size = 0; size <= MOST; size++)
		for (size_t to = 0; to <= CHUNK; to++) {
			check_set(size, to);
			check_compare(size, to);
			for (size_t from = 0; from <= CHUNK; from++)
				check_copy(size, to, from);
		}
	for (size_t size = 0; size <= MOST; size++)
		for (size_t distance = 0; distance <= size + 1; distance++) {
			check_move(size, distance, 0);
			check_move(size, 0, distance);
			check_move(size, 3, 3 + distance);
		}
	check_copy(1 << 20, 1, 3);
	check_move(1 << 20, 5, 0);
	check_move(1 << 20, 0, 5);
	check_set((1 << 20) + 1, 3);
	return wrong != 0;
}
