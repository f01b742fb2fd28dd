#include "root/masks.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/owned.h"
#include "root/layers.h"
#include "kernel/trees.h"

static const char *const directories[MASKS_DIRECTORIES] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
};

static const char *const files[] = { "/proc/kcore", "/proc/keys", "/proc/latency_stats",
				     "/proc/timer_list", "/proc/sched_debug" };

static const char *const read_only[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					 "/proc/sysrq-trigger" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

void masks_collect(int base, int trees[MASKS_DIRECTORIES])
{
	for (size_t i = 0; i < MASKS_DIRECTORIES; i++) {
		trees[i] = access(directories[i], F_OK) == 0 ? tree_open_alone(base, LAYER_EMPTY) :
							       -1;
		if (trees[i] >= 0)
			(void)!tree_read_only(trees[i]);
	}
}

static int refuse(const char *path, struct failure *failure)
{
	return fail_errno(failure, FUSELAGE_E_ROOT_START, "%s cannot be hidden", path);
}

/* No path here has been anybody's of the image: what is at /proc and /sys is the kernel's. */
int masks_place(const int trees[MASKS_DIRECTORIES], struct failure *failure)
{
	for (size_t i = 0; i < MASKS_DIRECTORIES; i++)
		if (trees[i] >= 0 && access(directories[i], F_OK) == 0 &&
		    tree_move(trees[i], directories[i]) < 0)
			return refuse(directories[i], failure);
	for (size_t i = 0; i < COUNT(files); i++)
		if (access(files[i], F_OK) == 0 &&
		    mount("/dev/null", files[i], NULL, MS_BIND, NULL) < 0)
			return refuse(files[i], failure);
	for (size_t i = 0; i < COUNT(read_only); i++) {
		if (access(read_only[i], F_OK) < 0)
			continue;
		OWNED_FD tree = tree_open(AT_FDCWD, read_only[i]);
		if (tree < 0 || tree_read_only(tree) < 0 || tree_move(tree, read_only[i]) < 0)
			return refuse(read_only[i], failure);
	}
	return 0;
}
