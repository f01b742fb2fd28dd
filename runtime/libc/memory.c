/*
 * memcpy, memmove, memset and memcmp in place of the compiler's own, which go byte by byte where a program is
 * made small: of what the FUSE server did in a start, a quarter.
 *
 * What is copied may overlap: everything of a small size is read before any of it is written, and of a larger
 * one what a step could write over was read before. Chunks may stand anywhere; where a machine cannot read
 * them so, its compiler puts them together.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "libc/checked.h"

#if !defined(CHECKED) || defined(memcpy) /* else functions that see each access are there */

#define ANYWHERE __attribute__((aligned(1), may_alias))
#define INLINE static inline __attribute__((always_inline))

typedef uint8_t chunk __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t bytes8 ANYWHERE;
typedef uint32_t bytes4 ANYWHERE;
typedef uint16_t bytes2 ANYWHERE;

/* The first and the last of a size that two of them cover, or fill. */
#define COPY_ENDS(type)                                                        \
	do {                                                                   \
		const type first = *(const type *)from;                        \
		const type last = *(const type *)(from + size - sizeof(type)); \
		*(type *)to = first;                                           \
		*(type *)(to + size - sizeof(type)) = last;                    \
	} while (0)
#define FILL_ENDS(type, value)                                 \
	do {                                                   \
		*(type *)to = (value);                         \
		*(type *)(to + size - sizeof(type)) = (value); \
	} while (0)

INLINE chunk load(const uint8_t *from)
{
	return *(const chunk *)from;
}

INLINE void store(uint8_t *to, chunk bytes)
{
	*(chunk *)to = bytes;
}

static void copy_up(uint8_t *to, const uint8_t *from, size_t size)
{
	const chunk before = load(from + size - 32), last = load(from + size - 16);

	for (size_t at = 0; at + 32 < size; at += 32) {
		const chunk low = load(from + at), high = load(from + at + 16);
		store(to + at, low);
		store(to + at + 16, high);
	}
	store(to + size - 32, before);
	store(to + size - 16, last);
}

static void copy_down(uint8_t *to, const uint8_t *from, size_t size)
{
	const chunk first = load(from), after = load(from + 16);

	for (size_t at = size; at > 32; at -= 32) {
		const chunk high = load(from + at - 16), low = load(from + at - 32);
		store(to + at - 16, high);
		store(to + at - 32, low);
	}
	store(to, first);
	store(to + 16, after);
}

void *memmove(void *target, const void *source, size_t size)
{
	uint8_t *to = target;
	const uint8_t *from = source;

	if (size > 32 && (size_t)((uintptr_t)to - (uintptr_t)from) < size)
		copy_down(to, from, size);
	else if (size > 32)
		copy_up(to, from, size);
	else if (size >= 16)
		COPY_ENDS(chunk);
	else if (size >= 8)
		COPY_ENDS(bytes8);
	else if (size >= 4)
		COPY_ENDS(bytes4);
	else if (size >= 2)
		COPY_ENDS(bytes2);
	else if (size)
		*to = *from;
	return target;
}

void *memcpy(void *restrict target, const void *restrict source, size_t size)
{
	return memmove(target, source, size);
}

void *memset(void *target, int value, size_t size)
{
	uint8_t *to = target;
	const uint64_t word = UINT64_C(0x0101010101010101) * (uint8_t)value;
	const chunk bytes = (chunk){ 0 } + (uint8_t)value;

	if (size >= 16) {
		for (size_t at = 0; at + 16 < size; at += 16)
			store(to + at, bytes);
		store(to + size - 16, bytes);
	} else if (size >= 8) {
		FILL_ENDS(bytes8, word);
	} else if (size >= 4) {
		FILL_ENDS(bytes4, (uint32_t)word);
	} else if (size >= 2) {
		FILL_ENDS(bytes2, (uint16_t)word);
	} else if (size) {
		*to = (uint8_t)value;
	}
	return target;
}

int memcmp(const void *left, const void *right, size_t size)
{
	const uint8_t *a = left, *b = right;
	size_t at = 0;

	while (at + 8 <= size && *(const bytes8 *)(a + at) == *(const bytes8 *)(b + at))
		at += 8;
	while (at < size && a[at] == b[at])
		at++;
	return at < size ? a[at] - b[at] : 0;
}

int bcmp(const void *left, const void *right, size_t size)
{
	return memcmp(left, right, size);
}

#endif
