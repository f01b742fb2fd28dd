#include "start/in_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/find_words.h"

/* Bytes of an environment that are looked at; few have a twentieth of it. */
#define ENVIRONMENT_MAX (256u << 10)

/* What every process of ours calls itself. */
#define OURS "fuselage-"

static ssize_t read_file(const char *directory, const char *name, char *text, size_t size)
{
	char file[64];

	snprintf(file, sizeof file, "/proc/%.20s/%s", directory, name);
	OWNED_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread_full(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return n;
}

static bool has_path(const char *process, const char *path, char *text)
{
	char name[sizeof OURS];
	ssize_t n = read_file(process, "environ", text, ENVIRONMENT_MAX);

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(text + at) + 1)
		if (find_words(text + at, path))
			return read_file(process, "comm", name, sizeof name) > 0 &&
			       strcmp(name, OURS) != 0;
	return false;
}

bool path_is_in_use(const char *path)
{
	OWNED char *text = malloc(ENVIRONMENT_MAX);
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (text && processes && !found && (entry = readdir(processes)) != NULL)
		found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			has_path(entry->d_name, path, text);
	if (processes)
		closedir(processes);
	return found;
}
