/* Resources that end with their scope; `steal_fd` hands one on. */
#ifndef BASE_OWNED_H
#define BASE_OWNED_H

#include <stdlib.h>
#include <unistd.h>

static inline void close_owned_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void free_owned(void *pointer)
{
	free(*(void **)pointer);
}

static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#define OWNED_FD __attribute__((cleanup(close_owned_fd))) int
#define OWNED __attribute__((cleanup(free_owned)))

#endif
