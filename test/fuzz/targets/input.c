#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "target.h"

int input_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	require(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	require(write_full(fd, data, size) == 0);
	return fd;
}
