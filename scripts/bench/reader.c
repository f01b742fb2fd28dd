/*
 * Reads a mounted tree on command and says how long that took.
 *
 *   reader ROOT
 *
 * Commands come on standard input, one a line, and each is answered by nanoseconds on a line:
 *
 *   find          walks ROOT by the types that readdir gives
 *   stat          the same, and examines every entry
 *   read N        find, and N processes that read all files it found, 32 at a time each, as
 *                 `find -type f | xargs -P N cat` does
 *   random F N    N reads of 4 KiB at random places of the file F
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 32

static char **paths;
static size_t path_count;
static atomic_size_t *next_path; /* shared by the readers */

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void keep_path(const char *dir, const char *name)
{
	if (path_count % 4096 == 0)
		paths = realloc(paths, (path_count + 4096) * sizeof *paths);
	if (!paths || asprintf(&paths[path_count++], "%s/%s", dir, name) < 0)
		fail("memory");
}

static void free_paths(void)
{
	while (path_count)
		free(paths[--path_count]);
	free(paths);
	paths = NULL;
}

enum {
	FIND,
	STAT,
	LIST
};

static void walk(const char *path, int what)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	struct stat st;
	char child[4096];

	if (!dir && errno == EACCES)
		return;
	if (!dir)
		fail(path);
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (what == STAT && fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			fail(name);
		if (what == LIST && entry->d_type == DT_REG)
			keep_path(path, name);
		if (entry->d_type != DT_DIR)
			continue;
		snprintf(child, sizeof child, "%s/%s", path, name);
		walk(child, what);
	}
	closedir(dir);
}

static void read_batches(void)
{
	static char buffer[128 << 10];

	for (;;) {
		size_t first = atomic_fetch_add(next_path, BATCH);
		if (first >= path_count)
			return;
		for (size_t i = first; i < path_count && i < first + BATCH; i++) {
			int fd = open(paths[i], O_RDONLY);
			ssize_t n = 1;
			while (fd >= 0 && n > 0)
				n = read(fd, buffer, sizeof buffer);
			if (fd < 0 && errno == EACCES)
				continue;
			if (fd < 0 || n < 0)
				fail(paths[i]);
			close(fd);
		}
	}
}

static void read_all(int readers)
{
	int status;

	walk(".", LIST);
	*next_path = 0;
	for (int i = 0; i < readers; i++) {
		if (fork() == 0) {
			read_batches();
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		if (status)
			exit(1);
	free_paths();
}

static void read_random(const char *file, long count)
{
	static char buffer[4096];
	struct stat st;
	uint64_t state = 88172645463325252u;
	int fd = open(file, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(file);
	for (long i = 0; i < count; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		uint64_t page = state % ((uint64_t)st.st_size / sizeof buffer);
		if (pread(fd, buffer, sizeof buffer, (off_t)(page * sizeof buffer)) < 0)
			fail(file);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	char line[512], file[256];
	int readers;
	long count;

	next_path = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc != 2 || next_path == MAP_FAILED)
		return 2;
	if (chdir(argv[1]) < 0)
		fail(argv[1]);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		long long start = now();
		if (strcmp(line, "find\n") == 0)
			walk(".", FIND);
		else if (strcmp(line, "stat\n") == 0)
			walk(".", STAT);
		else if (sscanf(line, "read %d", &readers) == 1)
			read_all(readers);
		else if (sscanf(line, "random %255s %ld", file, &count) == 2)
			read_random(file, count);
		else
			return 2;
		printf("%lld\n", now() - start);
		fflush(stdout);
	}
	return 0;
}
