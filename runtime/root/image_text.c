#include "root/image_text.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"

#define TEXT_MAX (1u << 20)

/* Of a start with --persist: what was changed. A link there is passed over, whatever it leads to. */
static ssize_t read_upper(int upper, const char *path, char *text)
{
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	OWNED_FD fd = (int)syscall(SYS_openat2, upper, path + 1, &how, sizeof how);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > TEXT_MAX)
		return -1;
	return pread_full(fd, text, TEXT_MAX, 0);
}

static ssize_t read_image(const struct bundle *bundle, const char *path, char *text)
{
	struct sqfs_inode inode;

	if (sqfs_path_lookup(bundle->reader, path, true, &inode) != 0 || inode.type != SQFS_FILE ||
	    inode.size > TEXT_MAX)
		return -1;
	return sqfs_pread(bundle->reader, &inode, text, TEXT_MAX, 0);
}

char *image_text(const struct bundle *bundle, int upper, const char *path)
{
	char *text = malloc(TEXT_MAX + 1);
	ssize_t n = -1;

	if (!text)
		return NULL;
	if (upper >= 0)
		n = read_upper(upper, path, text);
	if (n < 0)
		n = read_image(bundle, path, text);
	text[n > 0 ? n : 0] = 0;
	return text;
}
