#include "guest/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "generated/guest.h"

/* One that is compiled into the kernel, or was loaded before, is as good. */
static int load(const char *name, struct failure *failure)
{
	char path[NAME_MAX + sizeof GUEST_MODULES_FOLDER + 1];

	snprintf(path, sizeof path, GUEST_MODULES_FOLDER "/%s", name);
	OWNED_FD file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0 || (syscall(SYS_finit_module, file, "", 0) < 0 && errno != EEXIST))
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "kernel module %.200s", name);
	unlink(path);
	return 0;
}

int modules_load(struct failure *failure)
{
	OWNED_FD file = open(GUEST_MODULES_LIST, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (file < 0 && errno == ENOENT)
		return 0; /* a kernel that has everything built in */
	if (file < 0 || fstat(file, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, GUEST_MODULES_LIST);
	OWNED char *list = malloc((size_t)st.st_size + 1);
	ssize_t n = list ? pread_full(file, list, (size_t)st.st_size, 0) : -1;
	if (n < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, GUEST_MODULES_LIST);
	list[n] = 0;
	for (char *at = list, *end; (end = strchr(at, '\n')); at = end + 1) {
		*end = 0;
		if (load(at, failure) < 0)
			return -1;
	}
	unlink(GUEST_MODULES_LIST);
	rmdir(GUEST_MODULES_FOLDER);
	return 0;
}
