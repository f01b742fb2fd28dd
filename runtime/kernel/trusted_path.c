#include "kernel/trusted_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"

#define FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define LINKS_MAX 40 /* as the kernel has it */
#define OVERFLOW_ID 65534 /* whom a user namespace does not map */
#define FUSE_MAGIC 0x65735546
#define OTHERS (S_IWGRP | S_IWOTH)

struct walk {
	const struct caller *caller;
	enum fuselage_code code;
	struct failure *failure;
	unsigned links;
};

/* Whether no user here is 65534, as in a namespace that maps fewer than ten: a line has 33 bytes. */
static bool maps_no_nobody(void)
{
	OWNED_FD fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	char map[34];

	return read(fd, map, sizeof map) == 33 && map[30] == ' ';
}

/* What is at a descriptor says itself to whom it belongs. */
static bool is_fuse(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == FUSE_MAGIC;
}

static bool is_safe(const struct caller *caller, int fd, const struct stat *st,
		    const struct stat *parent, enum trusted_end end)
{
	bool own = st->st_uid == caller->uid;
	bool shared = parent->st_mode & OTHERS; /* and sticky, or it had been refused */
	mode_t others = S_ISLNK(st->st_mode) ? 0 : st->st_mode & OTHERS;

	if (own && others == S_IWGRP && st->st_gid == caller->gid && caller->uid && !caller->setuid)
		others = 0;
	if (end != TRUSTED_ANY ? !own || others : others && !(st->st_mode & S_ISVTX))
		return false;
	if (!own && st->st_uid && (st->st_uid != OVERFLOW_ID || shared || !maps_no_nobody()))
		return false;
	return st->st_dev == parent->st_dev || (caller->uid && !shared) || !is_fuse(fd);
}

/* `st` of what others can change, or NULL: then errno says what it is. */
static int refuse(const struct walk *walk, int dir, const char *name, const struct stat *st,
		  enum trusted_end end)
{
	char text[PATH_MAX];
	int error = errno;

	text[1] = 0;
	descriptor_path(dir, text, sizeof text);
	const char *path = text + !text[1]; /* no slash before that of the name */
	if (st)
		fail(walk->failure, walk->code,
		     "%.400s/%.200s: expected a directory of user %u%s, found one of another or "
		     "one "
		     "that others can change (owner %u, mode %04o)",
		     path, name, (unsigned)walk->caller->uid, end ? "" : " or root",
		     (unsigned)st->st_uid, st->st_mode & 07777);
	errno = error;
	return fail_errno(walk->failure, walk->code, "%.400s/%.200s", path, name);
}

/* O_DIRECTORY also lets an automounter mount what is not there yet. */
static int open_component(int dir, const char *name, enum trusted_end end)
{
	int fd = openat(dir, name, FLAGS);

	if (fd >= 0 || errno != ENOENT || end != TRUSTED_MAKE)
		return fd;
	if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST) {
		if (errno == EPERM) /* a file system without directories */
			errno = EACCES;
		return -1;
	}
	return openat(dir, name, FLAGS);
}

static int walk_on(struct walk *walk, int from, const char *path, enum trusted_end end,
		   struct stat *last);

/* `parent` is what `dir` is, and becomes what is returned. */
static int step(struct walk *walk, int dir, const char *name, enum trusted_end end,
		struct stat *parent)
{
	OWNED_FD fd = open_component(dir, name, end);
	enum trusted_end kind = fd < 0 ? TRUSTED_ANY : end;
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if ((fd < 0 && errno != ENOTDIR) || fstatat(fd < 0 ? dir : fd, fd < 0 ? name : "", &st,
						    AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(walk, dir, name, NULL, end);
	if (!is_safe(walk->caller, fd, &st, parent, kind)) {
		errno = kind ? EPERM : EACCES;
		return refuse(walk, dir, name, &st, kind);
	}
	if (fd >= 0) {
		*parent = st;
		return steal_fd(&fd);
	}
	errno = end == TRUSTED_MAKE ? EEXIST : walk->links++ < LINKS_MAX ? 0 : ELOOP;
	n = errno ? -1 : readlinkat(dir, name, target, sizeof target - 1);
	if (n < 0 && errno == EINVAL) /* no link either */
		errno = ENOTDIR;
	if (n < 0)
		return refuse(walk, dir, name, NULL, end);
	target[n] = 0;
	return walk_on(walk, dir, target, end, parent);
}

/* `last` becomes what is at the end of the path. */
static int walk_on(struct walk *walk, int from, const char *path, enum trusted_end end,
		   struct stat *last)
{
	OWNED_FD dir = *path == '/' ? open("/", FLAGS) : fcntl(from, F_DUPFD_CLOEXEC, 0);

	if (dir < 0 || fstat(dir, last) < 0)
		return -1;
	while (dir >= 0 && *(path += strspn(path, "/"))) {
		size_t length = strcspn(path, "/");
		char name[NAME_MAX + 2]; /* one byte more than the kernel takes */
		snprintf(name, sizeof name, "%.*s", (int)length, path);
		path += length;
		int next = step(walk, dir, name, path[strspn(path, "/")] ? TRUSTED_ANY : end, last);
		close(dir);
		dir = next;
	}
	return steal_fd(&dir);
}

int trusted_open(int at, const char *path, const struct caller *caller, enum trusted_end end,
		 enum fuselage_code code, struct failure *failure)
{
	struct walk walk = { caller, code, failure, 0 };
	struct stat last;

	/* What is relative leads elsewhere from every folder, and nobody has looked at the way to that. */
	if (at == AT_FDCWD && *path != '/') {
		fail(failure, code, "%.300s: expected an absolute path", path);
		errno = EINVAL;
		return -1;
	}
	int fd = walk_on(&walk, at, path, end, &last);

	return fd < 0 ? fail_errno(failure, code, "%.300s", path) : fd;
}
