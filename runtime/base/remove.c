#include "base/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory is opened up first: it may come with modes that forbid to empty it. */
static int open_to_empty(int parent, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(parent, name, flags);

	if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(parent, name, flags);
	return fd;
}

/* Recursion is as deep as what made the tree went, and that is bounded. */
static void remove_below(int parent, const char *name, dev_t device)
{
	/* An empty one takes no descriptor: there may be none left. */
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return;

	int fd = open_to_empty(parent, name);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct stat st;

	if (!dir)
		return;
	if (fstat(fd, &st) == 0 && st.st_dev == device) {
		fchmod(fd, 0700);
		for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			if (unlinkat(fd, entry->d_name, 0) < 0)
				remove_below(fd, entry->d_name, device);
		}
	}
	closedir(dir);
	unlinkat(parent, name, AT_REMOVEDIR);
}

void remove_tree(int parent, const char *name)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		remove_below(parent, name, st.st_dev);
	else
		unlinkat(parent, name, 0);
}
