/* Memory of which only what is touched is there: for tables that are as large as they may have to be. */
#ifndef BASE_PAGES_H
#define BASE_PAGES_H

#include <stddef.h>

/* `count` times `size` bytes, all zero. NULL without memory. */
void *pages_new(size_t count, size_t size);
/* Of the same size; NULL is no fault. */
void pages_free(void *pages, size_t count, size_t size);

#endif
