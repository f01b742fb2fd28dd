/* Makes one entry of an image in a directory that is open: any kind but a directory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "squashfs/extract_work.h"

const char *const extract_words[EXTRACT_COUNTS] = {
#define WORD(kind, word) [kind] = word,
	EXTRACT_WORDS(WORD)
#undef WORD
};

int extract_image_failure(struct extractor *extractor, int error)
{
	extractor->error = error;
	extractor->system_error = 0;
	return -1;
}

int extract_system_failure(struct extractor *extractor)
{
	extractor->error = 0;
	extractor->system_error = errno;
	return -1;
}

int extract_check_interrupted(struct extractor *extractor)
{
	if (!extractor->options->interrupted || !*extractor->options->interrupted)
		return 0;
	errno = EINTR;
	return extract_system_failure(extractor);
}

static int set_xattr(int fd, const char *name, const char *attribute, const void *value,
		     size_t size)
{
	char path[48 + SQFS_NAME_MAX];

	if (!name)
		return fsetxattr(fd, attribute, value, size, 0);
	descriptor_link(path, sizeof path, fd, name);
	return lsetxattr(path, attribute, value, size, 0);
}

static bool leaves_out(struct extractor *extractor, enum extract_kind kind, bool counts)
{
	if (extractor->options->keep & 1u << kind)
		return false;
	atomic_fetch_add_explicit(&extractor->left_out[kind], counts, memory_order_relaxed);
	return true;
}

/* The file that is open as `fd`, or `name` in that directory: what cannot be opened. */
struct attributed {
	struct extractor *extractor;
	int fd;
	const char *name;
};

static int take_xattr(void *context, const char *attribute, const void *value, size_t size)
{
	const struct attributed *file = context;
	struct extractor *extractor = file->extractor;

	if (extract_check_interrupted(extractor) < 0)
		return 1;
	if (strncmp(attribute, "user.", 5) != 0 &&
	    leaves_out(extractor, EXTRACT_PRIVILEGED_XATTRS, true))
		return 0;
	if (set_xattr(file->fd, file->name, attribute, value, size) == 0)
		return 0;
	if (errno != EPERM && errno != ENOTSUP && errno != EACCES) {
		extract_system_failure(extractor);
		return 1;
	}
	extractor->left_out[EXTRACT_REFUSED_XATTRS]++;
	return 0;
}

static int set_xattrs(struct extractor *extractor, int fd, const char *name,
		      const struct sqfs_inode *inode)
{
	struct attributed file = { extractor, fd, name };
	int error;

	if (!extractor->options->xattrs || inode->xattr == SQFS_NO_ENTRY)
		return 0;
	if (!extractor->attribute)
		extractor->attribute = malloc(SQFS_XATTR_MAX);
	error = extractor->attribute ? sqfs_each_xattr(extractor->reader, inode,
						       extractor->attribute, take_xattr, &file) :
				       SQFS_ENOMEM;
	if (error < 0)
		extract_image_failure(extractor, error);
	return error ? -1 : 0;
}

bool extract_wants_owner(const struct extractor *extractor, const struct sqfs_inode *inode)
{
	return inode->uid != extractor->made->st_uid || inode->gid != extractor->made->st_gid;
}

bool extract_filter(struct extractor *extractor, struct sqfs_inode *inode, bool first)
{
	if ((inode->type == SQFS_BLOCK_DEVICE || inode->type == SQFS_CHARACTER_DEVICE) &&
	    leaves_out(extractor, EXTRACT_DEVICES, first))
		return false;
	if (inode->mode & (S_ISUID | S_ISGID) && leaves_out(extractor, EXTRACT_SET_ID, first))
		inode->mode &= (uint16_t) ~(S_ISUID | S_ISGID);
	if (extract_wants_owner(extractor, inode) &&
	    leaves_out(extractor, EXTRACT_OWNERS, first && (inode->uid || inode->gid))) {
		inode->uid = extractor->made->st_uid;
		inode->gid = extractor->made->st_gid;
	}
	return true;
}

/* Whether a file cannot be made with its mode: the umask, set-id bits, attributes to write. */
static bool wants_mode(const struct extractor *extractor, const struct sqfs_inode *inode)
{
	return inode->mode & 07777 & ~extractor->made->st_mode || inode->xattr != SQFS_NO_ENTRY ||
	       extract_wants_owner(extractor, inode);
}

/*
 * Owner first: chown clears set-id bits and capabilities. Attributes before the mode, which may
 * take away the right to write them.
 */
int extract_attributes(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		       bool set_owner, bool set_mode)
{
	struct timespec times[2] = { { .tv_sec = inode->mtime }, { .tv_sec = inode->mtime } };

	if (set_owner && fchown(fd, inode->uid, inode->gid) < 0)
		return extract_system_failure(extractor);
	if (set_xattrs(extractor, fd, NULL, inode) < 0)
		return -1;
	if (set_mode && fchmod(fd, inode->mode & 07777) < 0)
		return extract_system_failure(extractor);
	return futimens(fd, times) < 0 ? extract_system_failure(extractor) : 0;
}

static int pwrite_full(int fd, const uint8_t *data, size_t size, uint64_t position)
{
	while (size) {
		ssize_t n = pwrite(fd, data, size, (off_t)position);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		size -= (size_t)n;
		position += (uint64_t)n;
	}
	return 0;
}

int extract_contents(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		     uint64_t start, uint64_t end)
{
	uint32_t block_size = sqfs_reader_fs(extractor->reader)->super.block_size;
	uint64_t position = start;
	const uint8_t *data = NULL;

	while (position < end) {
		if (extract_check_interrupted(extractor) < 0)
			return -1;
		ssize_t n = sqfs_read_block(extractor->reader, inode, position, &data);
		if (n < 0)
			return extract_image_failure(extractor, (int)n);
		if (data) {
			if (pwrite_full(fd, data, (size_t)n, position) < 0)
				return extract_system_failure(extractor);
			extractor->bytes += (uint64_t)n;
		}
		if ((size_t)n == block_size) /* not a fragment, which others want too */
			sqfs_block_spent(extractor->reader);
		position += (uint64_t)n;
	}
	/* A hole at the end has no write to extend the file. */
	if (!data && position == inode->size && ftruncate(fd, (off_t)inode->size) < 0)
		return extract_system_failure(extractor);
	return 0;
}

/* The same number on every architecture; libc headers of the build may be older than the kernel. */
#define OPENAT2 437

int extract_open(int dir, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_NOFOLLOW | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(OPENAT2, dir, name, &how, sizeof how);

	/* Linux before 5.6 does not have it, and some containers' filters refuse it. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(dir, name, (int)how.flags, mode);
	return (int)fd;
}

int extract_placeholder(struct extractor *extractor, int dir, const char *name)
{
	int fd = extract_open(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || close(fd) < 0)
		return extract_system_failure(extractor);
	return 0;
}

int extract_open_file(struct extractor *extractor, int dir, const char *name,
		      const struct sqfs_inode *inode, bool made)
{
	/* Without O_CREAT, openat2 wants no mode. */
	mode_t mode = made ? 0 : wants_mode(extractor, inode) ? 0600 : inode->mode & 0777;
	int fd = extract_open(dir, name, O_WRONLY | (made ? 0 : O_CREAT | O_EXCL), mode);

	/* A placeholder has the mode of one, and says so when it is closed. */
	return fd < 0 ? extract_system_failure(extractor) : fd;
}

int extract_close_file(struct extractor *extractor, int fd, const struct sqfs_inode *inode,
		       int result)
{
	bool set_mode = wants_mode(extractor, inode) || inode->nlink > 1;

	if (result == 0)
		result = extract_attributes(extractor, fd, inode,
					    extract_wants_owner(extractor, inode), set_mode);
	if (close(fd) < 0 && result == 0)
		result = extract_system_failure(extractor);
	return result;
}

static int make_file(struct extractor *extractor, int dir, const char *name,
		     const struct sqfs_inode *inode)
{
	int fd = extract_open_file(extractor, dir, name, inode, false);

	if (fd < 0)
		return -1;
	return extract_close_file(extractor, fd, inode,
				  extract_contents(extractor, fd, inode, 0, inode->size));
}

/* Of what was made just now by an exclusive call, so that the name is no symlink of others. */
static int set_by_name(struct extractor *extractor, int dir, const char *name,
		       const struct sqfs_inode *inode)
{
	struct timespec times[2] = { { .tv_sec = inode->mtime }, { .tv_sec = inode->mtime } };

	if (extract_wants_owner(extractor, inode) &&
	    fchownat(dir, name, inode->uid, inode->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return extract_system_failure(extractor);
	if (set_xattrs(extractor, dir, name, inode) < 0)
		return -1;
	if (inode->type != SQFS_SYMLINK && fchmodat(dir, name, inode->mode & 07777, 0) < 0)
		return extract_system_failure(extractor);
	return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ?
		       extract_system_failure(extractor) :
		       0;
}

static int make_symlink(struct extractor *extractor, int dir, const char *name,
			const struct sqfs_inode *inode)
{
	char target[PATH_MAX];
	ssize_t n = sqfs_readlink(extractor->reader, inode, target, sizeof target);

	if (n < 0)
		return extract_image_failure(extractor, (int)n);
	if (symlinkat(target, dir, name) < 0)
		return extract_system_failure(extractor);
	return set_by_name(extractor, dir, name, inode);
}

/* The kernel's new_encode_dev: minor bits 0-7 and 20-31, major bits 8-19. */
static dev_t decode_device(uint32_t encoded)
{
	return makedev((encoded >> 8) & 0xfff, (encoded & 0xff) | ((encoded >> 12) & 0xfff00));
}

static int make_special(struct extractor *extractor, int dir, const char *name,
			const struct sqfs_inode *inode)
{
	/* Without a device's number for what is none. */
	if (mknodat(dir, name, (inode->mode & S_IFMT) | 0600, decode_device(inode->rdev)) < 0)
		return extract_system_failure(extractor);
	return set_by_name(extractor, dir, name, inode);
}

int extract_entry(struct extractor *extractor, int dir, const char *name,
		  const struct sqfs_inode *inode)
{
	switch (inode->type) {
	case SQFS_FILE:
		return make_file(extractor, dir, name, inode);
	case SQFS_SYMLINK:
		return make_symlink(extractor, dir, name, inode);
	default:
		return make_special(extractor, dir, name, inode);
	}
}
