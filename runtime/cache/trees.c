/*
 * A tree counts when it has its name, which it gets by one rename when it is whole and on the disk.
 * Whoever is killed before leaves a .partial, which the next one to make that tree removes.
 */
#include "cache/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/descriptors.h"
#include "base/lock.h"
#include "base/owned.h"
#include "base/protect.h"
#include "base/remove.h"
#include "libc/sha256.h"
#include "cache/file_state.h"
#include "cache/zip_images.h"
#include "cache/store.h"
#include "generated/names.h"

#define READ_BYTES (1u << 16)
#define FILES "files"
#define DAY 86400
#define DIGITS (SHA256_TEXT - 1)

struct disk_tree {
	const struct caller *caller;
	const char *home;
	const struct archive *archive;
	char base[PATH_MAX]; /* that holds the cache */
	bool temporary; /* where cleaners remove single files */
	bool forgets; /* removes it, and makes nothing */
	int cache;
	struct stat state; /* of the archive's file, from before anything of it was read */
	char digest[SHA256_TEXT];
};

/* The archive by its file, not by what is in it. */
static void identify(const struct disk_tree *tree, char id[SHA256_TEXT])
{
	struct sha256 hash;

	sha256_init(&hash);
	sha256_update(&hash, &tree->state, sizeof tree->state);
	sha256_update(&hash, &tree->archive->offset, sizeof tree->archive->offset);
	sha256_text(&hash, id);
}

static int digest_archive(const struct disk_tree *tree, char digest[SHA256_TEXT],
			  struct failure *failure)
{
	const struct archive *archive = tree->archive;
	uint64_t at = archive_is_zip(archive) ? 0 : archive->offset;
	uint64_t end = archive_is_zip(archive) ? archive->size : at + archive->fs.super.bytes_used;
	const uint64_t place[] = { tree->state.st_dev, tree->state.st_ino };
	OWNED uint8_t *buffer = malloc(READ_BYTES);
	struct sha256 hash;

	sha256_init(&hash);
	while (buffer && at < end) {
		size_t part = end - at < READ_BYTES ? (size_t)(end - at) : READ_BYTES;
		if (pread_full(archive->fd, buffer, part, at) != (ssize_t)part)
			return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
				    "%.200s: cannot be read to its end", archive->file);
		sha256_update(&hash, buffer, part);
		at += part;
	}
	/* It may be another one now than when it is extracted: its tree is of no other file. */
	if (file_state_is_foreign(&tree->state, tree->caller->uid))
		sha256_update(&hash, place, sizeof place);
	sha256_text(&hash, digest);
	return buffer ? 0 : fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "digest");
}

/* The digest that was noted for the file as it is now. */
static bool recall(struct disk_tree *tree, const char *name, const char *id)
{
	char text[2 * DIGITS + 1];

	if (readlinkat(tree->cache, name, text, sizeof text) != 2 * DIGITS ||
	    memcmp(text, id, DIGITS) != 0)
		return false;
	memcpy(tree->digest, text + DIGITS, DIGITS);
	return true;
}

/* To read everything once is enough; what cannot be noted is read again. */
static void note(const struct disk_tree *tree, const char *name, const char *id)
{
	char text[2 * DIGITS + 1];

	stpcpy(stpcpy(text, id), tree->digest);
	unlinkat(tree->cache, name, 0);
	(void)!symlinkat(text, tree->cache, name);
}

static int find_digest(struct disk_tree *tree, struct failure *failure)
{
	bool settled = file_state_has_settled(&tree->state, FILE_STATE_NOTED);
	char name[CACHE_NAME_MAX], id[SHA256_TEXT];

	identify(tree, id);
	cache_name(name, id, ".id");
	bool known = settled && recall(tree, name, id);
	if (tree->forgets)
		unlinkat(tree->cache, name, 0);
	if (known)
		return 0;
	if (digest_archive(tree, tree->digest, failure) < 0)
		return -1;
	if (settled && !tree->forgets && file_state_is(tree->archive->fd, &tree->state))
		note(tree, name, id);
	return 0;
}

/*
 * What was extracted is what was digested. Its times tell, or another look: a file that loses its name to a newer one
 * has changed too.
 */
static int verify(const struct disk_tree *tree, struct failure *failure)
{
	char digest[SHA256_TEXT];

	if (file_state_is(tree->archive->fd, &tree->state) &&
	    file_state_has_settled(&tree->state, FILE_STATE_NOTED))
		return 0;
	if (digest_archive(tree, digest, failure) < 0)
		return -1;
	return memcmp(digest, tree->digest, sizeof digest) == 0 ?
		       0 :
		       fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "%.200s: is being changed while it is read", tree->archive->file);
}

/*
 * Returns a descriptor of the tree, which is in use (flock) for as long as that is open, or -1 when
 * there is none, or none that can be relied on. Cleaners of temporary directories take single files,
 * after days in which nobody needed them.
 */
static int open_tree(const struct disk_tree *tree)
{
	char name[CACHE_NAME_MAX], digest[SHA256_TEXT];
	struct stat st, same, made;

	cache_name(name, tree->digest, ".tree");
	OWNED_FD fd = openat(tree->cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (lock_wait(fd, LOCK_SH) < 0)
		return -1;
	errno = ESTALE;
	if (fstat(fd, &st) < 0 || fstatat(tree->cache, name, &same, AT_SYMLINK_NOFOLLOW) < 0 ||
	    st.st_ino != same.st_ino || st.st_uid != tree->caller->uid || st.st_mode & 022)
		return -1;
	if (readlinkat(fd, "digest", digest, sizeof digest) != DIGITS ||
	    memcmp(digest, tree->digest, DIGITS) != 0 ||
	    fstatat(fd, "digest", &made, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (tree->temporary && made.st_mtim.tv_sec < time(NULL) - DAY))
		return -1;
	futimens(fd, NULL);
	/* Who may read the archive may read its files, by the modes that they have in it. */
	if (tree->caller->uid == 0 && !(st.st_mode & S_IXOTH) && tree->archive->is_public)
		fchmod(fd, 0711);
	return steal_fd(&fd);
}

static int fill(const struct disk_tree *tree, const char *partial, struct failure *failure)
{
	OWNED_FD dir = openat(tree->cache, partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int made = mkdirat(dir, FILES, 0700);
	OWNED_FD files = openat(dir, FILES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = 0;

	if (made == 0 && files >= 0)
		result = archive_extract(tree->archive, files, failure);
	if (result < 0 || verify(tree, failure) < 0)
		return -1;
	/* One call for all of it: a power cut must not leave a name without its files. */
	if (made < 0 || files < 0 || protect_tree(dir, FILES) < 0 ||
	    symlinkat(tree->digest, dir, "digest") < 0 || syncfs(dir) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache/%s", tree->base,
				  partial);
	return 0;
}

/*
 * Takes its name from a tree that cannot be relied on. Who has it in use keeps what is open, and finds by its path
 * what is there next.
 */
static void put_aside(const struct disk_tree *tree, const char *name)
{
	char aside[CACHE_NAME_MAX];
	OWNED_FD old = openat(tree->cache, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) < 0 && fstat(old, &st) == 0) {
		snprintf(aside, sizeof aside, "%.*s.%lx.partial", CACHE_KEY_DIGITS, name,
			 (unsigned long)st.st_ino);
		renameat(tree->cache, name, tree->cache, aside);
	}
	remove_tree(tree->cache, name);
}

/* The lock is ours. */
static int make(const struct disk_tree *tree, struct failure *failure)
{
	char partial[CACHE_NAME_MAX], name[CACHE_NAME_MAX];

	cache_name(partial, tree->digest, ".partial");
	cache_name(name, tree->digest, ".tree");
	remove_tree(tree->cache, partial);
	if (mkdirat(tree->cache, partial, 0700) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache/%s", tree->base,
				  partial);
	if (fill(tree, partial, failure) == 0) {
		put_aside(tree, name);
		if (renameat(tree->cache, partial, tree->cache, name) == 0)
			return 0;
		fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache/%s", tree->base, name);
	}
	remove_tree(tree->cache, partial);
	return -1;
}

/*
 * Opens the cache in tree->base. Returns -1 where it is not the caller's own, or no program can be
 * started.
 */
static int open_cache(struct disk_tree *tree, struct failure *failure)
{
	OWNED_FD cache = cache_open_directory(tree->base, tree->caller, !tree->forgets,
					      FUSELAGE_E_MOUNT_REFUSED, failure);
	struct statfs fs;

	if (cache < 0)
		return -1;
	if (fstatfs(cache, &fs) < 0 || syscall(SYS_faccessat, cache, ".", W_OK) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache", tree->base);
	errno = ENOEXEC;
	if (!(fs.f_flags & ST_NOEXEC))
		return steal_fd(&cache);
	fail(failure, FUSELAGE_E_MOUNT_REFUSED,
	     "%.200s/cache: is mounted noexec, no program starts from there", tree->base);
	return fail_cause(failure, FUSELAGE_CAUSE_NOEXEC);
}

/* The tree in the cache that is open: a descriptor of it, or -1. */
static int use_cache(struct disk_tree *tree, struct failure *failure)
{
	char name[CACHE_NAME_MAX];

	if (find_digest(tree, failure) < 0)
		return -1;
	cache_name(name, tree->digest, ".tree");
	if (tree->forgets) {
		if (cache_forget_tree(tree->cache, name))
			printf("%s/cache/%s\n", tree->base, name);
		failure->error = ENOENT; /* there may be others */
		return -1;
	}
	int fd = open_tree(tree);
	if (fd < 0) {
		/* Who has the tree to itself is about to remove it, and has that lock as well. */
		OWNED_FD lock = -1;
		if (errno != ETIMEDOUT)
			lock = cache_lock(tree->cache, tree->digest, true);
		cache_name(name, tree->digest, ".lock");
		if (lock < 0)
			return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache/%s",
					  tree->base, name);
		fd = open_tree(tree);
		if (fd < 0 && make(tree, failure) < 0)
			return -1;
		if (fd < 0)
			fd = open_tree(tree);
	}
	cache_reap(tree->base, tree->caller);
	return fd >= 0 ? fd :
			 fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s/cache", tree->base);
}

/* The same in the cache of tree->base. *over: no other place would do better. */
static int use_base(struct disk_tree *tree, bool passable, bool *over, struct failure *failure)
{
	OWNED_FD cache = open_cache(tree, failure);

	if (cache < 0)
		return -1;
	if (passable)
		fchmodat(AT_FDCWD, tree->base, 0711, 0);
	/* What happens in a cache that is there says more than why another one is not. */
	failure_clear(failure);
	tree->cache = cache;
	int fd = use_cache(tree, failure);
	*over = fd >= 0 || !failure->error;
	return fd;
}

/*
 * For privileges_isolated: returns the tree's descriptor. A place where the system refuses something is passed
 * over, so one that is full too, or where somebody who is stopped has the lock; what is wrong with the archive is
 * so everywhere.
 */
static int open_or_make(void *context, struct failure *failure)
{
	struct disk_tree *tree = context;
	const char *forced = getenv(ENV_FUSELAGE_HOME);
	bool root = tree->caller->uid == 0, alone = forced && *forced, over = false;
	char own[32];
	const char *const places[][2] = {
		{ root && !alone ? "/var/cache" : NULL, "/fuselage" },
		{ tree->home, "" },
		{ getenv(ENV_TMPDIR), own },
		{ "/tmp", own },
		{ "/dev/shm", own },
		{ "/var/tmp", own },
		{ getenv("XDG_RUNTIME_DIR"), own },
	};
	const size_t home = 1, count = alone ? home + 1 : sizeof places / sizeof *places;

	if (!file_state_read(tree->archive->fd, &tree->state))
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.200s", tree->archive->file);
	snprintf(own, sizeof own, "/fuselage-%u", (unsigned)tree->caller->uid);
	for (size_t i = 0; i < count; i++) {
		if (!places[i][0] || places[i][0][0] != '/' ||
		    snprintf(tree->base, sizeof tree->base, "%s%s", places[i][0], places[i][1]) >=
			    (int)sizeof tree->base)
			continue;
		tree->temporary = i > home || strncmp(tree->base, "/tmp/", 5) == 0;
		/* Root's is where everyone may go through: a server that gives root up still finds its files. */
		int fd = use_base(tree, root && i != home, &over, failure);
		if (over)
			return fd;
	}
	return -1;
}

int cache_tree_place(struct archive *archive, const struct caller *caller, const char *home,
		     int janitor, struct failure *failure)
{
	struct disk_tree job = { .caller = caller, .home = home, .archive = archive };
	char path[PATH_MAX];
	OWNED_FD tree = privileges_isolated(caller, open_or_make, &job, failure);

	if (tree < 0)
		return fail_cause(failure, FUSELAGE_CAUSE_EXTRACTION);
	if (descriptor_path(tree, path, sizeof path - sizeof FILES) == 0) {
		stpcpy(path + strlen(path), "/" FILES);
		/*
		 * In the socket's queue it is open until the janitor ends, who holds the other end. One
		 * that was killed does not keep the app from starting.
		 */
		if (archive_move(archive, path) == 0) {
			(void)send_descriptor(janitor, tree);
			return 0;
		}
	}
	fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "%.300s", archive->target);
	return fail_cause(failure, FUSELAGE_CAUSE_EXTRACTION);
}

void cache_tree_forget(struct archive *archive, const struct caller *caller, const char *home)
{
	struct disk_tree job = {
		.caller = caller, .home = home, .archive = archive, .forgets = true
	};
	struct failure ignored = { 0 };

	open_or_make(&job, &ignored);
}
