#include "kernel/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/owned.h"

#define TRIES 2000 /* each lost race means that another start won one */

/* LOOP_CONFIGURE came with 5.8; before, the same took two calls. */
static int configure(int device, int file, const struct loop_info64 *info)
{
	struct loop_config config = { .fd = (uint32_t)file, .info = *info };

	if (ioctl(device, LOOP_CONFIGURE, &config) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY)
		return -1;
	if (ioctl(device, LOOP_SET_FD, file) < 0)
		return -1;
	if (ioctl(device, LOOP_SET_STATUS64, info) < 0) {
		int error = errno;
		ioctl(device, LOOP_CLR_FD, 0);
		errno = error;
		return -1;
	}
	return 0;
}

static int attach(int file, uint64_t offset, uint64_t size, char *path, struct failure *failure)
{
	OWNED_FD control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	struct loop_info64 info = {
		.lo_offset = offset,
		.lo_sizelimit = size,
		.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR,
		.lo_file_name = LOOP_LABEL,
	};

	if (control < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "/dev/loop-control");
	for (int i = 0; i < TRIES; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
					  "/dev/loop-control: no free loop device");
		snprintf(path, LOOP_PATH_MAX, "/dev/loop%d", number);
		OWNED_FD device = open(path, O_RDONLY | O_CLOEXEC);
		if (device < 0 && errno != ENXIO)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%s", path);
		if (device >= 0 && configure(device, file, &info) == 0)
			return steal_fd(&device);
		if (device >= 0 && errno != EBUSY)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
					  "%s: cannot be attached", path);
		/* Another process took it between the two calls. */
		poll(NULL, 0, 1);
	}
	return fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s: no free loop device after %d tries",
		    path, TRIES);
}

int loop_attach(int file, uint64_t offset, uint64_t size, char *path, struct failure *failure)
{
	int device = attach(file, offset, size, path, failure);

	if (device >= 0)
		return device;
	return fail_cause(failure, access("/sys/devices/virtual/misc/loop-control", F_OK) < 0 ?
					   FUSELAGE_CAUSE_LOOP_MISSING :
					   FUSELAGE_CAUSE_LOOP_REFUSED);
}
