#include "base/private_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"

#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define PROBE ".probe"

int count_entries(int parent, const char *name)
{
	int fd = openat(parent, name, FLAGS);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int count = -2; /* "." and ".." */

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* By the owner that a file gets in it: some file systems give everything to one user. */
static bool is_of_our_making(int dir)
{
	OWNED_FD probe = openat(dir, PROBE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st, ours;

	return probe >= 0 && unlinkat(dir, PROBE, 0) == 0 && fstat(dir, &st) == 0 &&
	       fstat(probe, &ours) == 0 && st.st_uid == ours.st_uid && !(st.st_mode & 077) &&
	       count_entries(dir, ".") == 0;
}

int private_directory(int parent, const char *stem, char name[NAME_MAX + 1])
{
	int end = snprintf(name, NAME_MAX + 1, "%s.XXXXXX", stem);
	uint32_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -1;
	errno = ENAMETOOLONG;
	if (end > NAME_MAX)
		return -1;
	for (; name[end - 1] == 'X'; random >>= 4)
		name[--end] = (char)('a' + random % 16);
	if (mkdirat(parent, name, 0700) < 0)
		return -1;
	OWNED_FD dir = openat(parent, name, FLAGS);
	if (dir >= 0 && is_of_our_making(dir))
		return steal_fd(&dir);
	errno = EPERM;
	return -1;
}
