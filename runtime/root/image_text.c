#include "root/image_text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "bundle/image_failure.h"

/* Far beyond what a directory of users exports; an image can claim any size. */
#define TEXT_MAX (UINT64_C(64) << 20)

/* Room for a text, or NULL and a failure. */
static char *make_room(uint64_t size, const char *path, struct failure *failure)
{
	if (size > TEXT_MAX) {
		fail(failure, FUSELAGE_E_ROOT_USER,
		     "%s of the image: expected at most %u MiB, found %" PRIu64 " bytes", path,
		     (unsigned)(TEXT_MAX >> 20), size);
		return NULL;
	}
	char *text = malloc((size_t)size + 1);
	if (!text)
		fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s of the image", path);
	return text;
}

/* Of a start with --persist: what was changed. A link there is passed over, whatever it leads to. */
static int open_upper(int upper, const char *path, struct stat *st)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	OWNED_FD fd = upper < 0 ? -1 : (int)syscall(SYS_openat2, upper, path + 1, &how, sizeof how);

	return fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode) ? steal_fd(&fd) : -1;
}

char *image_text(const struct bundle *bundle, int upper, const char *path, struct failure *failure)
{
	struct sqfs_inode inode;
	struct stat st;
	OWNED_FD fd = open_upper(upper, path, &st);
	bool found = fd >= 0 || (sqfs_path_lookup(bundle->reader, path, true, &inode) == 0 &&
				 inode.type == SQFS_FILE);
	uint64_t size = !found ? 0 : fd >= 0 ? (uint64_t)st.st_size : inode.size;
	char *text = make_room(size, path, failure);
	ssize_t n = 0;

	if (!text)
		return NULL;
	if (fd >= 0)
		n = pread_full(fd, text, (size_t)size, 0);
	else if (found)
		n = sqfs_pread(bundle->reader, &inode, text, (size_t)size, 0);
	if (n >= 0) {
		text[n] = 0;
		return text;
	}
	free(text);
	if (fd >= 0)
		fail_errno(failure, FUSELAGE_E_ROOT_PERSIST, "%s", path);
	else
		fail_sqfs(failure, (int)n, sqfs_fault(bundle->reader), bundle->path, path);
	return NULL;
}
