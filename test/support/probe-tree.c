/* The first half of probe-files: what every file of a folder is. */
#define _GNU_SOURCE
#include "probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAMES_MAX 1000

void say(const char *format, ...)
{
	char text[4096];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c < ' ' || *c > '~')
			printf("\\x%02x", *c);
		else
			putchar(*c);
	putchar('\n');
}

const char *answer(long result)
{
	return result >= 0 ? "ok" : strerrorname_np(errno);
}

static const char *owner(unsigned id, unsigned own)
{
	static char number[2][16];
	static int turn;

	if (id == own)
		return "own";
	turn = !turn;
	snprintf(number[turn], sizeof number[turn], "%u", id);
	return number[turn];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_xattrs(const char *path)
{
	char names[4096], *sorted[64], value[4096];
	ssize_t size = llistxattr(path, names, sizeof names);
	size_t count = 0;

	if (size < 0)
		say("xattrs of %s: %s", path, answer(-1));
	for (char *name = names; size > 0 && name < names + size && count < 64;
	     name += strlen(name) + 1)
		if (strncmp(name, "user.", 5) == 0)
			sorted[count++] = name;
	qsort(sorted, count, sizeof *sorted, by_name);
	for (size_t i = 0; i < count; i++) {
		ssize_t length = lgetxattr(path, sorted[i], value, sizeof value - 1);
		value[length < 0 ? 0 : length] = 0;
		say("xattr %s of %s: %zd %s", sorted[i], path, length, value);
	}
}

static void show_content(const char *path)
{
	static unsigned char part[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t sum = 0;
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, part, sizeof part)) > 0)
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + part[i];
	say("content of %s: %s %08x", path, answer(n), sum);
	if (fd >= 0)
		close(fd);
}

static void show_access(const char *path)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = { { "R_OK", R_OK }, { "W_OK", W_OK }, { "X_OK", X_OK } };

	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		say("access %s of %s: %s", modes[i].name, path, answer(access(path, modes[i].mode)));
}

static void show_entry(const char *path, const struct dirent *entry, dev_t device)
{
	struct stat st, again;
	char target[PATH_MAX];

	if (lstat(path, &st) < 0 || lstat(path, &again) < 0) {
		say("lstat %s: %s", path, answer(-1));
		return;
	}
	say("mode of %s: %o", path, st.st_mode);
	say("size of %s: %lld", path, S_ISDIR(st.st_mode) ? -1LL : (long long)st.st_size);
	say("links of %s: %ju", path, (uintmax_t)st.st_nlink);
	say("owner of %s: %s:%s", path, owner(st.st_uid, geteuid()), owner(st.st_gid, getegid()));
	say("mtime of %s: %lld.%09ld", path, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	say("atime is mtime of %s: %d", path, st.st_atim.tv_sec == st.st_mtim.tv_sec);
	say("ctime is mtime of %s: %d", path, st.st_ctim.tv_sec == st.st_mtim.tv_sec);
	say("blksize of %s: %ld", path, (long)st.st_blksize);
	if (S_ISREG(st.st_mode))
		say("blocks of %s: %s", path, st.st_blocks * 512 < st.st_size ? "fewer" : "all");
	say("inode of %s stays: %d", path, st.st_ino == again.st_ino && st.st_dev == again.st_dev);
	say("device of %s is the root's: %d", path, st.st_dev == device);
	say("d_type of %s: %d", path, entry->d_type);
	say("d_ino of %s is st_ino: %d", path, entry->d_ino == st.st_ino);
	ssize_t length = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof target - 1) : -1;
	if (length >= 0)
		say("target of %s: %.*s", path, (int)length, target);
	show_access(path);
	show_xattrs(path);
	if (S_ISREG(st.st_mode))
		show_content(path);
}

void probe_tree(const char *path, dev_t device)
{
	char *names[NAMES_MAX], child[PATH_MAX];
	struct dirent *entries[NAMES_MAX];
	DIR *dir = opendir(path);
	size_t count = 0, shown = 0;

	if (!dir) {
		say("opendir %s: %s", path, answer(-1));
		return;
	}
	for (struct dirent *entry; count < NAMES_MAX && (entry = readdir(dir));) {
		struct dirent *copy = malloc(sizeof *copy);
		memcpy(copy, entry, entry->d_reclen);
		if (strcmp(path, "order") == 0 && *entry->d_name != '.')
			say("order %zu: %s", shown++, entry->d_name);
		names[count++] = copy->d_name;
	}
	closedir(dir);
	qsort(names, count, sizeof *names, by_name);
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct dirent *)(names[i] - offsetof(struct dirent, d_name));
		bool dots = strcmp(names[i], ".") == 0 || strcmp(names[i], "..") == 0;
		snprintf(child, sizeof child, "%s%s%s", strcmp(path, ".") == 0 ? "" : path,
			 strcmp(path, ".") == 0 ? "" : "/", names[i]);
		if (dots)
			say("%s in %s: d_type %d", names[i], path, entries[i]->d_type);
		else
			show_entry(child, entries[i], device);
		if (!dots && entries[i]->d_type == DT_DIR)
			probe_tree(child, device);
		free(entries[i]);
	}
}
