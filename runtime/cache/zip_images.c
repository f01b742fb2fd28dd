/*
 * An image counts when its sentinel is there, and the sentinel is made last: after the image's
 * bytes and its name are on the disk. A builder that is killed leaves a partial file, or an image
 * without a sentinel, and neither is ever used.
 */
#include "cache/zip_images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/sha256.h"
#include "cache/file_state.h"
#include "cache/store.h"
#include "squashfs/squashfs.h"
#include "zip/zip.h"
#include "squashfs_writer/zip_squashfs.h"

#define DIGITS (2 * SHA256_SIZE)
#define READ_BYTES (1u << 14) /* on a stack that may be small */
#define SUPER_BYTES_USED 40 /* offset in the superblock */

struct cache {
	int dir;
	int zip_fd;
	uint64_t size;
	const char *home;
	const char *file;
	const struct caller *caller;
	char digest[DIGITS + 1]; /* the key is how it starts */
	struct failure *failure;
};

static int refuse(const struct cache *cache, const char *what)
{
	return fail_errno(cache->failure,
			  errno == ENOMEM ? FUSELAGE_E_OUT_OF_MEMORY : FUSELAGE_E_CACHE,
			  "%.300s/cache/%.*s: %s", cache->home, CACHE_KEY_DIGITS, cache->digest,
			  what);
}

/* Digests the archive; copies it to `copy` on the way unless that is -1. */
static int digest(const struct cache *cache, int copy, char digits[DIGITS + 1])
{
	uint8_t buffer[READ_BYTES];
	struct sha256 hash;

	sha256_init(&hash);
	for (uint64_t at = 0; at < cache->size;) {
		uint64_t rest = cache->size - at;
		size_t part = rest < sizeof buffer ? (size_t)rest : sizeof buffer;
		ssize_t n = pread_full(cache->zip_fd, buffer, part, at);
		if (n < 0 || (size_t)n < part) {
			if (n >= 0)
				errno = EIO; /* it was cut while we read */
			return fail_errno(cache->failure, FUSELAGE_E_CACHE, "%.300s: reading",
					  cache->file);
		}
		if (copy >= 0 && write_full(copy, buffer, part) < 0)
			return refuse(cache, "copy of the archive");
		sha256_update(&hash, buffer, part);
		at += part;
	}
	sha256_text(&hash, digits);
	return 0;
}

/* Cheap to ask at each use, and a disk that lost the end of a file is found here. */
static bool is_whole(int image, const struct stat *st)
{
	uint8_t super[96];

	if (pread_full(image, super, sizeof super, 0) != sizeof super || le32(super) != SQFS_MAGIC)
		return false;
	return le64(super + SUPER_BYTES_USED) <= (uint64_t)st->st_size;
}

/* Returns a descriptor of the complete image and notes its use, or -1 when there is none. */
static int use(const struct cache *cache)
{
	char name[CACHE_NAME_MAX];
	char digits[DIGITS];
	struct stat st;

	cache_name(name, cache->digest, ".complete");
	OWNED_FD sentinel = openat(cache->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (sentinel < 0 || fstat(sentinel, &st) < 0 || !cache_is_ours(&st, cache->caller->uid))
		return -1;
	/* The name holds 64 bits of the digest: archives can be made that share them. */
	if (pread_full(sentinel, digits, sizeof digits, 0) != sizeof digits ||
	    memcmp(digits, cache->digest, sizeof digits) != 0)
		return -1;
	cache_name(name, cache->digest, ".sfs");
	OWNED_FD image = openat(cache->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (image < 0 || fstat(image, &st) < 0 || !cache_is_ours(&st, cache->caller->uid) ||
	    !is_whole(image, &st))
		return -1;
	futimens(sentinel, NULL);
	return steal_fd(&image);
}

/*
 * What somebody else can write to may change between digest and conversion, and the image would
 * stay under the digest of another archive: such a file is copied, and the copy is digested.
 */
static int snapshot(const struct cache *cache, int *copy)
{
	char digits[DIGITS + 1];
	struct stat state;

	*copy = -1;
	if (!file_state_read(cache->zip_fd, &state))
		return refuse(cache, cache->file);
	if (!file_state_is_foreign(&state, cache->caller->uid))
		return 0;
	OWNED_FD fd = openat(cache->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) /* not every file system can; then it has to be in memory */
		fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return refuse(cache, "copy of the archive");
	if (digest(cache, fd, digits) < 0)
		return -1;
	if (memcmp(digits, cache->digest, DIGITS) != 0)
		return fail(
			cache->failure, FUSELAGE_E_CACHE,
			"%.300s: expected SHA-256 %.16s..., found %.16s...: it is being changed",
			cache->file, cache->digest, digits);
	*copy = steal_fd(&fd);
	return 0;
}

static int convert(const struct cache *cache, int image)
{
	struct zip *zip;
	int copy;

	if (snapshot(cache, &copy) < 0)
		return -1;
	int result = zip_open(copy < 0 ? cache->zip_fd : copy, cache->size, cache->file, &zip,
			      cache->failure);
	if (result == 0) {
		result = zip_to_squashfs(zip, image, cache->caller->uid, cache->caller->gid,
					 cache->failure);
		zip_free(zip);
		/* What cannot be written is the cache here, and its hint says what to do. */
		if (result < 0 && cache->failure->code == FUSELAGE_E_EXTRACT_FAILED)
			cache->failure->code = FUSELAGE_E_CACHE;
	}
	if (copy >= 0)
		close(copy);
	return result;
}

static int write_sentinel(const struct cache *cache)
{
	char name[CACHE_NAME_MAX];

	cache_name(name, cache->digest, ".complete");
	/* Without the lock somebody else may have made the same one meanwhile. */
	OWNED_FD fd = openat(cache->dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write_full(fd, cache->digest, DIGITS) < 0)
		return refuse(cache, "sentinel");
	return 0;
}

/* Gives the image its name, then the sentinel; each step is on the disk before the next. */
static int publish(const struct cache *cache, int image, const char *partial)
{
	char name[CACHE_NAME_MAX];

	if (fchmod(image, 0400) < 0 || fsync(image) < 0)
		return refuse(cache, "image");
	cache_name(name, cache->digest, ".complete");
	if (unlinkat(cache->dir, name, 0) < 0 && errno != ENOENT)
		return refuse(cache, "old sentinel");
	cache_name(name, cache->digest, ".sfs");
	if (renameat(cache->dir, partial, cache->dir, name) < 0 || fsync(cache->dir) < 0)
		return refuse(cache, "image");
	return write_sentinel(cache);
}

/* Returns a descriptor of the image: without the lock its sentinel may be somebody else's to make again. */
static int build(const struct cache *cache)
{
	char partial[CACHE_NAME_MAX];
	uint64_t random;

	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return refuse(cache, "random name");
	snprintf(partial, sizeof partial, "%.*s.%016llx.partial", CACHE_KEY_DIGITS, cache->digest,
		 (unsigned long long)random);
	OWNED_FD image = openat(cache->dir, partial,
				O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (image < 0)
		return refuse(cache, "image");
	OWNED_FD built = openat(cache->dir, partial, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (built < 0)
		refuse(cache, "image");
	else if (convert(cache, image) == 0 && publish(cache, image, partial) == 0)
		return steal_fd(&built);
	unlinkat(cache->dir, partial, 0);
	return -1;
}

int cache_open(const char *home, int zip_fd, uint64_t size, const char *file,
	       const struct caller *caller, struct failure *failure)
{
	OWNED_FD dir = cache_open_directory(home, caller, true, FUSELAGE_E_CACHE, failure);
	struct cache cache = { dir, zip_fd, size, home, file, caller, "", failure };

	if (dir < 0)
		return -1;
	if (digest(&cache, -1, cache.digest) < 0)
		return -1;
	int image = use(&cache);
	if (image >= 0)
		return image;

	/*
	 * Without locks (some network file systems), or where whoever has it does not go on, each builds its
	 * own, and the last one stays.
	 */
	OWNED_FD lock = cache_lock(dir, cache.digest, true);
	if (lock < 0 && errno != ENOLCK && errno != EOPNOTSUPP && errno != ETIMEDOUT)
		return refuse(&cache, "lock");
	image = use(&cache);
	return image >= 0 ? image : build(&cache);
}
