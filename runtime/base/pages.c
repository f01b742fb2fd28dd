#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

void *pages_new(size_t count, size_t size)
{
	if (!count || !size || count > SIZE_MAX / size)
		return NULL;
	void *pages = mmap(NULL, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

void pages_free(void *pages, size_t count, size_t size)
{
	if (pages)
		munmap(pages, count * size);
}
