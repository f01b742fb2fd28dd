/* qsort by heapsort: no memory, no recursion, the same effort for any input, and small. */
#ifndef BASE_SORT_H
#define BASE_SORT_H

#include <stddef.h>

void sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *));

#endif
