/*
 * Two walks. The first makes directories and files; the second, when nothing is
 * written any more, makes symlinks and gives directories their modes and times.
 * So no write can go through a symlink, whatever the names are, and a directory
 * that is read-only is filled all the same.
 *
 * Every name is one component, relative to a directory that was made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "zip/zip_reader.h"

struct extraction {
	struct zip *zip;
	struct failure *failure;
	uint32_t open[ZIP_DEPTH_MAX + 1]; /* entries of the directories that the walk is in */
	int fds[ZIP_DEPTH_MAX + 1]; /* theirs; the first is the caller's */
	size_t depth;
};

typedef int visitor(struct extraction *extraction, const struct zip_entry *entry, int dir,
		    const char *name);

static int refuse(struct extraction *extraction, const struct zip_entry *entry)
{
	return zip_fail_at(extraction->zip, entry, extraction->failure,
			   errno == ENOMEM ? FUSELAGE_E_OUT_OF_MEMORY : FUSELAGE_E_EXTRACT_FAILED,
			   "cannot be written: %s", strerror(errno));
}

static void get_times(const struct zip_entry *entry, struct timespec times[2])
{
	times[0] = (struct timespec){ .tv_sec = entry->mtime };
	times[1] = times[0];
}

struct file {
	struct extraction *extraction;
	const struct zip_entry *entry;
	int fd;
};

static int write_part(void *context, const uint8_t *data, size_t size, struct failure *failure)
{
	const struct file *file = context;

	(void)failure;
	return write_full(file->fd, data, size) < 0 ? refuse(file->extraction, file->entry) : 0;
}

static int make_file(struct extraction *extraction, const struct zip_entry *entry, int dir,
		     const char *name)
{
	struct file file = { extraction, entry, -1 };
	struct timespec times[2];
	int result;

	get_times(entry, times);
	file.fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file.fd < 0)
		return refuse(extraction, entry);
	result = zip_read(extraction->zip, entry, write_part, &file, extraction->failure);
	if (result == 0 &&
	    (fchmod(file.fd, entry->mode & 0777) < 0 || futimens(file.fd, times) < 0))
		result = refuse(extraction, entry);
	if (close(file.fd) < 0 && result == 0)
		result = refuse(extraction, entry);
	return result;
}

static int make_symlink(struct extraction *extraction, const struct zip_entry *entry, int dir,
			const char *name)
{
	struct timespec times[2];
	char target[PATH_MAX];

	get_times(entry, times);
	if (zip_readlink(extraction->zip, entry, target, extraction->failure) < 0)
		return -1;
	if (symlinkat(target, dir, name) < 0 ||
	    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(extraction, entry);
	return 0;
}

static int visit_first(struct extraction *extraction, const struct zip_entry *entry, int dir,
		       const char *name)
{
	switch (zip_type(entry)) {
	case S_IFDIR:
		return mkdirat(dir, name, 0700) < 0 ? refuse(extraction, entry) : 0;
	case S_IFLNK:
		return 0; /* in the second walk */
	default:
		return make_file(extraction, entry, dir, name);
	}
}

static int visit_second(struct extraction *extraction, const struct zip_entry *entry, int dir,
			const char *name)
{
	return zip_type(entry) == S_IFLNK ? make_symlink(extraction, entry, dir, name) : 0;
}

static int enter(struct extraction *extraction, uint32_t index, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return refuse(extraction, &extraction->zip->entries[index]);
	extraction->open[extraction->depth] = index;
	extraction->fds[extraction->depth++] = fd;
	return 0;
}

static int leave(struct extraction *extraction, bool finish)
{
	const struct zip_entry *entry =
		&extraction->zip->entries[extraction->open[--extraction->depth]];
	int fd = extraction->fds[extraction->depth];
	struct timespec times[2];
	int result = 0;

	get_times(entry, times);
	if (finish && (futimens(fd, times) < 0 || fchmod(fd, entry->mode & 0777) < 0))
		result = refuse(extraction, entry);
	close(fd);
	return result;
}

static int walk_entries(struct extraction *extraction, visitor *visit, bool finish)
{
	struct zip *zip = extraction->zip;

	for (uint32_t i = 1; i < zip->count; i++) {
		const struct zip_entry *entry = &zip->entries[i];
		char name[NAME_MAX + 1];
		size_t size;
		while (extraction->open[extraction->depth - 1] != entry->parent)
			if (leave(extraction, finish) < 0)
				return -1;
		const char *base = zip_base(zip, entry, &size);
		memcpy(name, base, size);
		name[size] = 0;
		int dir = extraction->fds[extraction->depth - 1];
		if (visit(extraction, entry, dir, name) < 0)
			return -1;
		if (zip_type(entry) == S_IFDIR && enter(extraction, i, dir, name) < 0)
			return -1;
	}
	while (extraction->depth > 1)
		if (leave(extraction, finish) < 0)
			return -1;
	return 0;
}

static int walk(struct extraction *extraction, int dir_fd, visitor *visit, bool finish)
{
	extraction->open[0] = 0;
	extraction->fds[0] = dir_fd;
	extraction->depth = 1;
	int result = walk_entries(extraction, visit, finish);
	while (extraction->depth > 1)
		leave(extraction, false);
	return result;
}

int zip_extract(struct zip *zip, int dir_fd, struct failure *failure)
{
	struct extraction extraction = { .zip = zip, .failure = failure };

	if (walk(&extraction, dir_fd, visit_first, false) < 0)
		return -1;
	return walk(&extraction, dir_fd, visit_second, true);
}
