#include "base/protect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Recursion is as deep as what made the tree went, and that is bounded. */
int protect_tree(int parent, const char *name)
{
	struct stat st;
	int result = 0;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISLNK(st.st_mode))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return fchmodat(parent, name, st.st_mode & 0555, 0);
	if (fchmodat(parent, name, 0700, 0) < 0)
		return -1;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -1;
	for (struct dirent *entry; result == 0 && (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = protect_tree(fd, entry->d_name);
	int error = errno;
	if (result == 0 && fchmod(fd, (st.st_mode & 0555) | 0500) < 0)
		result = -1;
	else
		errno = error;
	closedir(dir);
	return result;
}
