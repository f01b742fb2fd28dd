#include "libc/sort.h"

#include <stdint.h>

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
	while (size--) {
		uint8_t kept = *a;
		*a++ = *b;
		*b++ = kept;
	}
}

/* Lets the element at `at` sink to its place among the first `count`. */
static void sink(uint8_t *base, size_t at, size_t count, size_t size,
		 int (*compare)(const void *, const void *))
{
	for (;;) {
		size_t child = at * 2 + 1;
		if (child >= count)
			return;
		if (child + 1 < count &&
		    compare(base + child * size, base + (child + 1) * size) < 0)
			child++;
		if (compare(base + at * size, base + child * size) >= 0)
			return;
		swap(base + at * size, base + child * size, size);
		at = child;
	}
}

void sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	uint8_t *bytes = base;

	for (size_t i = count / 2; i-- > 0;)
		sink(bytes, i, count, size, compare);
	while (count > 1) {
		swap(bytes, bytes + --count * size, size);
		sink(bytes, 0, count, size, compare);
	}
}
