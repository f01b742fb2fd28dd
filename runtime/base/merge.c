#include "base/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"

static int open_below(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A directory is made anew and filled: one that forbids writing could not be moved. */
static int merge_entry(int from, int to, const char *name, char *at_fault, size_t size)
{
	OWNED_FD source = open_below(from, name);

	if (source < 0)
		return renameat(from, name, to, name);
	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return -1;
	OWNED_FD target = open_below(to, name);
	return target < 0 ? -1 : merge_directory(source, target, at_fault, size);
}

int merge_directory(int from, int to, char *name, size_t name_size)
{
	struct stat st;
	int result = -1;
	DIR *dir = fdopendir(dup(from));

	if (dir && fstat(from, &st) == 0 && fchmod(from, 0700) == 0)
		result = fchmod(to, 0700);
	for (struct dirent *entry; result == 0 && (entry = readdir(dir));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		result = merge_entry(from, to, entry->d_name, name, name_size);
		if (result < 0 && !*name)
			snprintf(name, name_size, "%s", entry->d_name);
	}
	if (result == 0 && fchmod(to, st.st_mode & 07777) == 0)
		result = futimens(to, (struct timespec[]){ st.st_atim, st.st_mtim });
	int error = errno;
	if (dir)
		closedir(dir);
	errno = error;
	return result;
}
