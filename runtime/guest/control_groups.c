#include "guest/control_groups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "kernel/trees.h"

#define NAME "fuselage"
#define MADE_MOST 1000 /* of that name, with a number */

static int root = -1;

const char *kernel_file_read(int directory, const char *name, char *text, size_t size)
{
	OWNED_FD file = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, text, size - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

int kernel_file_write(int directory, const char *name, const char *text)
{
	OWNED_FD file = openat(directory, name, O_WRONLY | O_CLOEXEC);

	return file < 0 ? -1 : write_full(file, text, strlen(text));
}

int control_groups_root(void)
{
	if (root < 0)
		root = tree_system("cgroup2");
	return root;
}

/* What the app has made it may have made as it likes: a group of threads, one that is frozen. */
static int make(void)
{
	char name[sizeof NAME + 8];

	for (int i = 0; i < MADE_MOST; i++) {
		snprintf(name, sizeof name, NAME "-%d", i);
		if (mkdirat(root, name, 0755) == 0)
			return openat(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

int control_group_make(void)
{
	/* What the app may have said of how many groups there may be. */
	static const char *const limits[] = { "cgroup.max.depth", "cgroup.max.descendants" };
	char before[2][24];

	for (size_t i = 0; i < 2; i++) {
		kernel_file_read(root, limits[i], before[i], sizeof before[i]);
		kernel_file_write(root, limits[i], "max");
	}
	int group = make(), error = errno;
	for (size_t i = 0; i < 2; i++)
		kernel_file_write(root, limits[i], before[i]);
	errno = error;
	return group;
}

/* Returns a descriptor of the next group at the top, or -1 behind the last. Its name may be any but two. */
static int next_group(DIR *top)
{
	struct dirent *entry;

	while ((entry = readdir(top))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int group = openat(dirfd(top), entry->d_name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (group >= 0)
			return group;
	}
	return -1;
}

int control_groups_each(int (*act)(int group))
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *top = fd < 0 ? NULL : fdopendir(fd);
	int failed = top ? 0 : -1, error = errno, group;

	if (!top && fd >= 0)
		close(fd);
	while (top && (group = next_group(top)) >= 0) {
		if (act(group) < 0) {
			failed = -1;
			error = errno;
		}
		close(group);
	}
	if (top)
		closedir(top);
	errno = error;
	return failed;
}

bool control_group_is_still(int group)
{
	char text[128];

	kernel_file_read(group, "cgroup.events", text, sizeof text);
	return strstr(text, "frozen 1\n") || strstr(text, "populated 0\n");
}
