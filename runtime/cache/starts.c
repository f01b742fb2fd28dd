#include "cache/starts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h> /* for CRC-32 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "cache/store.h"
#include "generated/names.h"
#include "libc/sha256.h"

static const char magic[] = "fuselrn1";

#define MAGIC 8u
#define LIST_MOST 65536u
#define DIGITS 32u
#define FILES_MOST 256u
#define DAY 86400
/* A smaller image is read as quickly as its list, bytes. */
#define IMAGE_LEAST (1u << 20)
/* Bytes of the image's end that name it, besides its superblock. */
#define TAIL_BYTES 4096u

/*
 * The superblock, where it says how large everything is, and the last tables, which are compressed:
 * whatever is in the image, they differ. Two images with one name would only have each other's list.
 */
bool starts_path(char *path, size_t size, const char *home, const struct sqfs *image)
{
	uint8_t bytes[SQFS_SUPER_SIZE + TAIL_BYTES];
	uint64_t used = image->super.bytes_used;
	size_t tail = used - SQFS_SUPER_SIZE < TAIL_BYTES ? (size_t)used - SQFS_SUPER_SIZE :
							    TAIL_BYTES;
	char digest[SHA256_TEXT];
	struct sha256 hash;

	if (pread_full(image->fd, bytes, SQFS_SUPER_SIZE, image->offset) != SQFS_SUPER_SIZE ||
	    pread_full(image->fd, bytes + SQFS_SUPER_SIZE, tail, image->offset + used - tail) !=
		    (ssize_t)tail)
		return false;
	sha256_init(&hash);
	sha256_update(&hash, bytes, SQFS_SUPER_SIZE + tail);
	sha256_text(&hash, digest);
	int n = snprintf(path, size, "%s/" LEARNED_STARTS "/%.*s", home, (int)DIGITS, digest);
	return n > 0 && (size_t)n < size;
}

void starts_header(uint8_t header[STARTS_HEADER], const uint8_t *list, size_t size)
{
	const uint32_t numbers[2] = { (uint32_t)size, lzma_crc32(list, size, 0) };

	memcpy(header, magic, MAGIC);
	memcpy(header + MAGIC, numbers, sizeof numbers);
}

/* The list, when it is whole. What follows it is left of a longer one. */
static uint8_t *read_list(int file, size_t *size)
{
	uint8_t header[STARTS_HEADER], same[STARTS_HEADER];

	if (pread_full(file, header, sizeof header, 0) != sizeof header ||
	    memcmp(header, magic, MAGIC) != 0)
		return NULL;
	*size = le32(header + MAGIC);
	if (*size > LIST_MOST)
		*size = 0;
	uint8_t *list = *size ? malloc(*size) : NULL;
	if (!list)
		return NULL;
	if (pread_full(file, list, *size, sizeof header) == (ssize_t)*size) {
		starts_header(same, list, *size);
		if (memcmp(header, same, sizeof header) == 0)
			return list;
	}
	free(list);
	*size = 0;
	return NULL;
}

/* Room for one more: what nobody has used for so long goes, and of too many the oldest. */
static void reap(int folder)
{
	char oldest[DIGITS + 1] = "";
	struct failure ignored = { 0 };
	time_t limit = cache_max_age(&ignored);
	time_t now = time(NULL), first = now + DAY;
	unsigned count = 0;
	struct stat st;
	DIR *dir = fdopendir(folder);

	if (!dir)
		return;
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (strlen(entry->d_name) != DIGITS ||
		    fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (limit > 0 && now - st.st_mtime > limit) {
			unlinkat(folder, entry->d_name, 0);
			continue;
		}
		count++;
		if (st.st_mtime < first) {
			first = st.st_mtime;
			memcpy(oldest, entry->d_name, sizeof oldest);
		}
	}
	if (count > FILES_MOST)
		unlinkat(folder, oldest, 0);
	closedir(dir);
}

#define FLAGS (O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)

/* Opens the file, or makes it. */
static int open_file(const char *path)
{
	char folder[PATH_MAX];
	int file = open(path, FLAGS);

	if (file >= 0 || errno != ENOENT)
		return file;
	snprintf(folder, sizeof folder, "%.*s", (int)(strlen(path) - DIGITS - 1), path);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -1;
	file = open(path, FLAGS | O_CREAT, 0600);
	if (file >= 0)
		reap(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return file;
}

/* By another name it may be anything of the user's, and it is written to. */
static bool is_list(const struct stat *st, uid_t uid)
{
	return cache_is_ours(st, uid) && st->st_nlink == 1;
}

void starts_open(struct learned_start *learned, const char *home, const struct sqfs *image,
		 uid_t uid)
{
	char path[PATH_MAX];
	struct stat st;

	*learned = (struct learned_start){ .file = -1 };
	/* Of what is in memory, or has no name any more, nothing goes to the disk. */
	if (!*home || image->super.bytes_used < IMAGE_LEAST || fstat(image->fd, &st) < 0 ||
	    st.st_nlink == 0 || !starts_path(path, sizeof path, home, image))
		return;
	OWNED_FD file = open_file(path);
	if (file < 0 || fstat(file, &st) < 0 || !is_list(&st, uid))
		return;
	learned->list = read_list(file, &learned->size);
	/* That it is used: once a day. */
	if (learned->list && time(NULL) - st.st_mtime > DAY)
		futimens(file, NULL);
	if (flock(file, LOCK_EX | LOCK_NB) == 0)
		learned->file = steal_fd(&file);
}

void starts_look(struct learned_start *learned, const char *home, const struct sqfs *image,
		 uid_t uid, time_t *used)
{
	char path[PATH_MAX];
	struct stat st;

	*learned = (struct learned_start){ .file = -1 };
	if (!*home || !starts_path(path, sizeof path, home, image))
		return;
	OWNED_FD file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file < 0 || fstat(file, &st) < 0 || !is_list(&st, uid))
		return;
	learned->list = read_list(file, &learned->size);
	*used = st.st_mtime;
}

bool starts_forget(char *path, size_t size, const char *home, const struct sqfs *image)
{
	return starts_path(path, size, home, image) && unlink(path) == 0;
}

void starts_close(struct learned_start *learned)
{
	if (learned->file >= 0)
		close(learned->file);
	free(learned->list);
	*learned = (struct learned_start){ .file = -1 };
}
