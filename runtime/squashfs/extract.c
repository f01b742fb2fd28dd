/*
 * The walk keeps its own stack, one open directory a level, and names every file relative to the
 * directory it made itself. Permissions and times of a directory are set when it is complete.
 */
#include "squashfs/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/bytes.h"
#include "squashfs/numbers.h"

#define DEPTH_MAX 256
#define XATTR_LIST_BYTES 65536

struct level {
	struct sqfs_inode inode;
	uint64_t cookie;
	int fd; /* owned, but for the root's */
	size_t path_length; /* of the directory's path, to go back to */
};

struct extraction {
	struct sqfs_reader *reader;
	const struct extract_options *options;
	struct extract_report *report;
	struct numbers links; /* inode number of a file with several links → its first path */
	struct numbers directories; /* seen */
	struct level levels[DEPTH_MAX];
	size_t depth;
	char list[XATTR_LIST_BYTES];
	char value[65536];
};

static int image_failure(struct extraction *x, int error)
{
	x->report->error = error;
	return -1;
}

static int system_failure(struct extraction *x)
{
	x->report->error = 0;
	x->report->system_error = errno;
	return -1;
}

static int push_path(struct extraction *x, const char *name)
{
	char *path = x->report->path;
	size_t used = strlen(path);
	size_t more = strlen(name);

	if (used + 1 + more >= sizeof x->report->path) {
		errno = ENAMETOOLONG;
		return system_failure(x);
	}
	if (used)
		path[used++] = '/';
	memcpy(path + used, name, more + 1);
	return 0;
}

static int set_xattr(int fd, const char *name, const char *attribute, const void *value,
		     size_t size)
{
	char path[48 + SQFS_NAME_MAX];

	if (!name)
		return fsetxattr(fd, attribute, value, size, 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d/%s", fd, name);
	return lsetxattr(path, attribute, value, size, 0);
}

/* Of the file that is open as `fd`, or of `name` in that directory: what cannot be opened. */
static int set_xattrs(struct extraction *x, int fd, const char *name,
		      const struct sqfs_inode *inode)
{
	if (!x->options->xattrs || inode->xattr == SQFS_NO_ENTRY)
		return 0;

	ssize_t used = sqfs_listxattr(x->reader, inode, x->list, sizeof x->list);
	if (used < 0)
		return image_failure(x, (int)used);
	for (char *attribute = x->list; attribute < x->list + used;
	     attribute += strlen(attribute) + 1) {
		ssize_t n = sqfs_getxattr(x->reader, inode, attribute, x->value, sizeof x->value);
		if (n < 0)
			return image_failure(x, (int)n);
		if (set_xattr(fd, name, attribute, x->value, (size_t)n) == 0)
			continue;
		if (errno != EPERM && errno != ENOTSUP && errno != EACCES)
			return system_failure(x);
		x->report->skipped_xattrs++;
	}
	return 0;
}

/*
 * Owner first: chown clears set-id bits and capabilities. Attributes before the mode, which may
 * take away the right to write them.
 */
static int set_attributes(struct extraction *x, int fd, const struct sqfs_inode *inode)
{
	struct timespec times[2] = { { .tv_sec = inode->mtime }, { .tv_sec = inode->mtime } };

	if (x->options->owners && fchown(fd, inode->uid, inode->gid) < 0)
		return system_failure(x);
	if (set_xattrs(x, fd, NULL, inode) < 0)
		return -1;
	if (fchmod(fd, inode->mode & 07777) < 0)
		return system_failure(x);
	return futimens(fd, times) < 0 ? system_failure(x) : 0;
}

static int check_interrupted(struct extraction *x)
{
	if (!x->options->interrupted || !*x->options->interrupted)
		return 0;
	errno = EINTR;
	return system_failure(x);
}

static int write_contents(struct extraction *x, int fd, const struct sqfs_inode *inode)
{
	uint64_t position = 0;

	while (position < inode->size) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(x->reader, inode, position, &data);
		if (n < 0)
			return image_failure(x, (int)n);
		if (!data) {
			if (lseek(fd, (off_t)n, SEEK_CUR) < 0)
				return system_failure(x);
		} else {
			if (write_full(fd, data, (size_t)n) < 0)
				return system_failure(x);
			x->report->bytes += (uint64_t)n;
		}
		position += (uint64_t)n;
		if (check_interrupted(x) < 0)
			return -1;
	}
	/* A hole at the end has no write to extend the file. */
	return ftruncate(fd, (off_t)inode->size) < 0 ? system_failure(x) : 0;
}

static int make_file(struct extraction *x, int dir, const char *name,
		     const struct sqfs_inode *inode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int result;

	if (fd < 0)
		return system_failure(x);
	result = write_contents(x, fd, inode);
	if (result == 0)
		result = set_attributes(x, fd, inode);
	if (close(fd) < 0 && result == 0)
		result = system_failure(x);
	return result;
}

static int make_symlink(struct extraction *x, int dir, const char *name,
			const struct sqfs_inode *inode)
{
	struct timespec times[2] = { { .tv_sec = inode->mtime }, { .tv_sec = inode->mtime } };
	char target[PATH_MAX];
	ssize_t n = sqfs_readlink(x->reader, inode, target, sizeof target);

	if (n < 0)
		return image_failure(x, (int)n);
	if (symlinkat(target, dir, name) < 0)
		return system_failure(x);
	if (x->options->owners &&
	    fchownat(dir, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return system_failure(x);
	if (set_xattrs(x, dir, name, inode) < 0)
		return -1;
	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? system_failure(x) : 0;
}

/* The kernel's new_encode_dev: minor bits 0-7 and 20-31, major bits 8-19. */
static dev_t decode_device(uint32_t encoded)
{
	return makedev((encoded >> 8) & 0xfff, (encoded & 0xff) | ((encoded >> 12) & 0xfff00));
}

static int make_special(struct extraction *x, int dir, const char *name,
			const struct sqfs_inode *inode)
{
	struct timespec times[2] = { { .tv_sec = inode->mtime }, { .tv_sec = inode->mtime } };
	bool device = inode->type == SQFS_BLOCK_DEVICE || inode->type == SQFS_CHARACTER_DEVICE;

	if (device && !x->options->devices) {
		x->report->skipped_devices++;
		return 0;
	}
	if (mknodat(dir, name, (inode->mode & S_IFMT) | 0600,
		    device ? decode_device(inode->rdev) : 0) < 0)
		return system_failure(x);
	if (x->options->owners &&
	    fchownat(dir, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return system_failure(x);
	if (set_xattrs(x, dir, name, inode) < 0)
		return -1;
	/* The name is ours, made just now by an exclusive call: it is no symlink. */
	if (fchmodat(dir, name, inode->mode & 07777, 0) < 0 ||
	    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return system_failure(x);
	return 0;
}

static int enter_directory(struct extraction *x, const struct sqfs_inode *inode, int fd,
			   size_t path_length)
{
	bool added;

	if (x->depth == DEPTH_MAX)
		return image_failure(x, SQFS_ELOOP);
	if (!numbers_place(&x->directories, inode->number, &added))
		return image_failure(x, SQFS_ENOMEM);
	if (!added)
		return image_failure(x, SQFS_EDIRECTORY);
	x->levels[x->depth++] = (struct level){ *inode, 0, fd, path_length };
	return 0;
}

static int make_directory(struct extraction *x, int dir, const char *name,
			  const struct sqfs_inode *inode, size_t path_length)
{
	int fd;

	if (mkdirat(dir, name, 0700) < 0)
		return system_failure(x);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return system_failure(x);
	if (enter_directory(x, inode, fd, path_length) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}

/* Makes a hard link to an earlier entry of the same inode. Returns 1 when it did. */
static int link_again(struct extraction *x, int dir, const char *name,
		      const struct sqfs_inode *inode)
{
	bool added;
	char **first;

	if (inode->nlink < 2)
		return 0;
	first = numbers_place(&x->links, inode->number, &added);
	if (!first)
		return image_failure(x, SQFS_ENOMEM);
	if (added) {
		*first = strdup(x->report->path);
		return *first ? 0 : image_failure(x, SQFS_ENOMEM);
	}
	if (linkat(x->levels[0].fd, *first, dir, name, 0) == 0)
		return 1;
	/* Skipped devices leave nothing to link to. */
	return errno == ENOENT && x->report->skipped_devices ? 1 : system_failure(x);
}

static int make_entry(struct extraction *x, struct level *level, const struct sqfs_entry *entry,
		      size_t path_length)
{
	struct sqfs_inode inode;
	int dir = level->fd;
	int error = sqfs_inode_read(x->reader, entry->ref, &inode);

	if (error)
		return image_failure(x, error);
	if (inode.type != entry->type || inode.number != entry->number)
		return image_failure(x, SQFS_EDIRECTORY);
	x->report->entries++;
	if (inode.type == SQFS_DIR)
		return make_directory(x, dir, entry->name, &inode, path_length);

	int linked = link_again(x, dir, entry->name, &inode);
	if (linked)
		return linked < 0 ? -1 : 0;
	switch (inode.type) {
	case SQFS_FILE:
		return make_file(x, dir, entry->name, &inode);
	case SQFS_SYMLINK:
		return make_symlink(x, dir, entry->name, &inode);
	default:
		return make_special(x, dir, entry->name, &inode);
	}
}

static int leave_directory(struct extraction *x)
{
	struct level *level = &x->levels[x->depth - 1];
	int result = set_attributes(x, level->fd, &level->inode);

	if (result < 0)
		return -1;
	if (--x->depth)
		close(level->fd);
	x->report->path[level->path_length] = 0;
	return 0;
}

static int walk(struct extraction *x)
{
	while (x->depth) {
		struct level *level = &x->levels[x->depth - 1];
		size_t depth = x->depth;
		struct sqfs_entry entry;
		int found = sqfs_dir_next(x->reader, &level->inode, level->cookie, &entry);

		if (found < 0)
			return image_failure(x, found);
		if (found == 0) {
			if (leave_directory(x) < 0)
				return -1;
			continue;
		}
		if (check_interrupted(x) < 0)
			return -1;
		size_t path_length = strlen(x->report->path);
		level->cookie = entry.next;
		if (push_path(x, entry.name) < 0 || make_entry(x, level, &entry, path_length) < 0)
			return -1;
		if (x->depth == depth)
			x->report->path[path_length] = 0;
	}
	return 0;
}

int extract_tree(struct sqfs_reader *reader, int dir_fd, const struct extract_options *options,
		 struct extract_report *report)
{
	struct extraction *x = calloc(1, sizeof *x);
	struct sqfs_inode root;
	int result = -1;

	*report = (struct extract_report){ 0 };
	if (!x) {
		report->error = SQFS_ENOMEM;
		return -1;
	}
	x->reader = reader;
	x->options = options;
	x->report = report;
	int error = sqfs_inode_read(reader, sqfs_reader_fs(reader)->super.root_ref, &root);
	if (!error && root.type != SQFS_DIR)
		error = SQFS_ENOTDIR;
	if (error)
		image_failure(x, error);
	else if (enter_directory(x, &root, dir_fd, 0) == 0)
		result = walk(x);
	while (x->depth > 1)
		close(x->levels[--x->depth].fd);
	numbers_free(&x->links);
	numbers_free(&x->directories);
	free(x);
	return result;
}
