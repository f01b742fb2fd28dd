#include "base/bytes.h"

#include <errno.h>
#include <unistd.h>

ssize_t pread_full(int fd, void *buffer, size_t size, uint64_t position)
{
	size_t done = 0;

	if (position > INT64_MAX || size > (uint64_t)INT64_MAX - position) {
		errno = EINVAL;
		return -1;
	}
	while (done < size) {
		ssize_t n =
			pread(fd, (uint8_t *)buffer + done, size - done, (off_t)(position + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = write(fd, (const uint8_t *)buffer + done, size - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}
