#include "archive/archive.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/image_failure.h"
#include "libc/base64.h"
#include "base/bytes.h"
#include "base/owned.h"
#include "bundle/bundle.h"
#include "bundle/elf_layout.h"
#include "squashfs/extract.h"
#include "zip/zip.h"
#include "generated/names.h"

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int check_name(const struct archive *archive, const char *name, size_t length,
		      const char *value, struct failure *failure)
{
	bool dots = (length == 1 && name[0] == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.');

	if (length == 0 || length > NAME_MAX || dots || memchr(name, '/', length))
		return fail(failure, FUSELAGE_E_ARCHIVE_NAME,
			    "%s=%.300s: name \"%.*s\": expected one path component or %s/NAME",
			    archive->option, value, length > 80 ? 80 : (int)length, name,
			    FIXED_DIRECTORY);
	return 0;
}

static int take_name(struct archive *archive, const char *name, size_t length, const char *value,
		     struct failure *failure)
{
	static const char prefix[] = FIXED_DIRECTORY "/";
	size_t head = sizeof prefix - 1;

	archive->fixed = length >= head && memcmp(name, prefix, head) == 0;
	if (archive->fixed) {
		name += head;
		length -= head;
	}
	if (check_name(archive, name, length, value, failure) < 0)
		return -1;
	memcpy(archive->name, name, length);
	archive->name[length] = 0;
	return 0;
}

static int name_from_file(struct archive *archive, const char *value, struct failure *failure)
{
	const char *slash = strrchr(archive->file, '/');
	const char *base = slash ? slash + 1 : archive->file;
	size_t length = strlen(base);

	for (const char *ending = ARCHIVE_ENDINGS; *ending; ending += strlen(ending) + 1) {
		size_t size = strlen(ending);
		if (length > size && strcmp(base + length - size, ending) == 0) {
			length -= size;
			break;
		}
	}
	return take_name(archive, base, length, value, failure);
}

int archive_parse(struct archive *archive, enum archive_use use, const char *option,
		  const char *value, const char *self, struct failure *failure)
{
	const char *colon;

	*archive = (struct archive){ .use = use, .option = option, .fd = -1 };
	if (use == ARCHIVE_EMPTY)
		return take_name(archive, value, strlen(value), value, failure);

	colon = strchr(value, ':');
	if (!colon || is_file(value)) {
		archive->file = value;
		if (name_from_file(archive, value, failure) < 0)
			return -1;
	} else {
		archive->file = colon + 1;
		if (take_name(archive, value, (size_t)(colon - value), value, failure) < 0)
			return -1;
	}
	if (*archive->file == 0)
		return fail(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s=%.300s: no file is named", option,
			    value);
	if (self && strcmp(archive->file, SELF_FILE) == 0)
		archive->file = self;
	return 0;
}

/* Copies what can only be read once. */
static int slurp(struct archive *archive, struct failure *failure)
{
	OWNED_FD memory = memfd_create("fuselage-archive", MFD_CLOEXEC);
	char buffer[8192];
	ssize_t n;

	if (memory < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s: memory", archive->file);
	while ((n = read(archive->fd, buffer, sizeof buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || write_full(memory, buffer, (size_t)n) < 0)
			return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	}
	close(archive->fd);
	archive->fd = steal_fd(&memory);
	return 0;
}

static int measure(struct archive *archive, struct failure *failure)
{
	struct stat st;

	if (fstat(archive->fd, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	if (S_ISDIR(st.st_mode))
		return fail(failure, FUSELAGE_E_ARCHIVE_OPEN,
			    "%s: expected a file, found a directory", archive->file);
	/* One may have no end, and nothing of a terminal is an archive. */
	if (flavour_is_runner && S_ISCHR(st.st_mode))
		return fail(failure, FUSELAGE_E_ARCHIVE_OPEN,
			    "%s: expected a file, found a character device", archive->file);
	if (flavour_is_runner && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		if (slurp(archive, failure) < 0)
			return -1;
		if (fstat(archive->fd, &st) < 0)
			return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	}
	off_t end = S_ISBLK(st.st_mode) ? lseek(archive->fd, 0, SEEK_END) : st.st_size;
	if (end < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	archive->size = (uint64_t)end;
	return 0;
}

static int open_squashfs(struct archive *archive, struct failure *failure)
{
	char fault[SQFS_FAULT_MAX];
	int error = sqfs_open(&archive->fs, archive->fd, archive->offset, 0, fault);

	archive->format = ARCHIVE_SQUASHFS;
	if (error == SQFS_EMAGIC)
		return fail(failure, FUSELAGE_E_ARCHIVE_FORMAT, "%s: %s (%s)", archive->file,
			    sqfs_strerror(error), fault);
	if (error)
		return fail_sqfs(failure, error, fault, archive->file, NULL);
	archive->reader = sqfs_reader_new(&archive->fs, 0);
	if (!archive->reader)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: reader", archive->file);
	return 0;
}

int archive_check(void *context, struct failure *failure)
{
	const struct archive *archive = context;
	struct sqfs_inode root, first;
	struct sqfs_entry entry;
	int error;

	if (!archive->reader)
		return 0;
	error = sqfs_inode_read(archive->reader, archive->fs.super.root_ref, &root);
	if (!error)
		error = sqfs_dir_next(archive->reader, &root, 0, &entry);
	if (error == 1)
		error = sqfs_inode_read(archive->reader, entry.ref, &first);
	return error ? fail_sqfs(failure, error, sqfs_fault(archive->reader), archive->file, NULL) :
		       0;
}

static int extract_zip(const struct archive *archive, int dir, struct failure *failure)
{
	struct zip *zip;

	if (zip_open(archive->fd, archive->size, archive->file, &zip, failure) < 0)
		return -1;
	int result = zip_extract(zip, dir, failure);
	zip_free(zip);
	return result;
}

int archive_extract(const struct archive *archive, int dir, struct failure *failure)
{
	struct extract_options options = { .xattrs = true };
	struct extract_report report;

	if (archive_is_zip(archive))
		return extract_zip(archive, dir, failure);
	if (extract_tree(archive->reader, dir, &options, &report) == 0)
		return 0;
	if (report.error)
		return fail_sqfs(failure, report.error, sqfs_fault(archive->reader), archive->file,
				 report.path);
	errno = report.system_error;
	return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "/%.300s: after %" PRIu64 " bytes",
			  report.path, report.bytes);
}

/* The text must decode to an archive, or the file is of no format that is known. */
static int open_base64(struct archive *archive, struct failure *failure)
{
	OWNED_FD memory = memfd_create("fuselage-base64", MFD_CLOEXEC);
	struct stat st;

	if (memory < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s: memory", archive->file);
	if (base64_decode(archive->fd, memory) < 0) {
		if (errno == EINVAL)
			return fail(failure, FUSELAGE_E_ARCHIVE_FORMAT,
				    "%s: neither zip nor squashfs nor ELF nor base64 text",
				    archive->file);
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	}
	if (fstat(memory, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	close(archive->fd);
	archive->fd = steal_fd(&memory);
	archive->size = (uint64_t)st.st_size;
	return 0;
}

/* Returns 1 when the magic is one that is known, and what follows from it is done. */
static int open_by_magic(struct archive *archive, bool elf_too, struct failure *failure)
{
	uint8_t magic[4] = { 0 };
	struct elf_layout layout;
	ssize_t n = pread_full(archive->fd, magic, sizeof magic, 0);

	if (n < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	if (le32(magic) == ZIP_LOCAL_MAGIC || le32(magic) == ZIP_END_MAGIC) {
		archive->format = ARCHIVE_ZIP;
		return 1;
	}
	if (le32(magic) == SQFS_MAGIC || le32(magic) == SQFS_MAGIC_BIG_ENDIAN)
		return open_squashfs(archive, failure) < 0 ? -1 : 1;
	if (!elf_too || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return 0;
	if (elf_read_layout(archive->fd, archive->file, FUSELAGE_MANIFEST_SECTION, &layout,
			    failure) < 0)
		return -1;
	archive->offset = elf_image_offset(archive->fd, &layout);
	return open_squashfs(archive, failure) < 0 ? -1 : 1;
}

int archive_reopen(struct archive *archive, struct failure *failure)
{
	int known;

	archive->offset = 0;
	if (measure(archive, failure) < 0)
		return -1;
	known = open_by_magic(archive, true, failure);
	if (known)
		return known < 0 ? -1 : 0;
	/* A bundle is an ELF file; here somebody has just written to it. */
	if (!flavour_is_runner)
		return fail(failure, FUSELAGE_E_ARCHIVE_FORMAT, "%s", archive->file);
	if (open_base64(archive, failure) < 0)
		return -1;
	known = open_by_magic(archive, false, failure);
	if (known == 0)
		return fail(failure, FUSELAGE_E_ARCHIVE_FORMAT,
			    "%s: base64 text of neither zip nor squashfs", archive->file);
	return known < 0 ? -1 : 0;
}

/* Of the file itself: another one may have its name by now, and what is read later may be a copy in memory. */
static bool is_readable_by_all(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_mode & S_IROTH;
}

int archive_open(struct archive *archive, struct failure *failure)
{
	if (archive->use == ARCHIVE_EMPTY)
		return 0;
	archive->fd = open(archive->file, O_RDONLY | O_CLOEXEC);
	if (archive->fd < 0)
		return fail_errno(failure, FUSELAGE_E_ARCHIVE_OPEN, "%s", archive->file);
	archive->is_public = is_readable_by_all(archive->fd);
	return archive_reopen(archive, failure);
}

int archive_move(struct archive *archive, const char *path)
{
	if (symlink(path, archive->target) < 0 &&
	    (errno != EEXIST || rmdir(archive->target) < 0 || symlink(path, archive->target) < 0))
		return -1;
	snprintf(archive->target, sizeof archive->target, "%s", path);
	return 0;
}

void archive_from_bundle(struct archive *archive, const struct bundle *bundle)
{
	const struct manifest *manifest = &bundle->manifest;
	const char *name = manifest->name;

	*archive = (struct archive){
		.use = manifest->writable ? ARCHIVE_DYNAMIC : ARCHIVE_STATIC,
		.option = "bundle",
		.file = bundle->path,
		.fixed = manifest->mount_at != NULL,
		.fd = bundle->file,
		.is_public = is_readable_by_all(bundle->file),
		.format = ARCHIVE_SQUASHFS,
		.offset = bundle->image_offset,
		.size = bundle->image_offset + manifest->image_size,
		.fs = bundle->fs,
		.reader = bundle->reader,
		.start = manifest->start,
		.start_size = manifest->start_size,
	};
	if (manifest->mount_at)
		name = manifest->mount_at + sizeof FIXED_DIRECTORY; /* and the slash */
	snprintf(archive->name, sizeof archive->name, "%s", name);
}

void archive_close(struct archive *archive)
{
	sqfs_reader_free(archive->reader);
	archive->reader = NULL;
	if (archive->fd >= 0)
		close(archive->fd);
	archive->fd = -1;
}
