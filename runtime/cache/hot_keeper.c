/* The process that keeps hot files. It is nobody's, and the last that the machine has time for. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/child.h"
#include "base/owned.h"
#include "cache/hot_files.h"
#include "cache/store.h"
#include "libc/sha256.h"

#define CACHE CACHE_FIRST_FD
#define IMAGE (CACHE_FIRST_FD + 1)
#define APP (CACHE_FIRST_FD + 2) /* a handle of its process */

/* Until the app has begun, which needs the disk and perhaps every processor for it. */
#define DELAY_MS 1000

/* What one file is made with. */
struct making {
	const struct hot_request *request;
	const struct hot_file *file;
	struct sqfs_reader *reader;
	int out;
};

/*
 * After so long, or so long after the app has ended. Then only a child of the machine's process 1 goes
 * on: another one may be waited for. As long as there is the app the one between may be there too.
 */
static bool may_go_on(int milliseconds)
{
	if (poll(&(struct pollfd){ .fd = APP, .events = POLLIN }, 1, milliseconds) == 0)
		return true;
	if (getppid() != 1 || !child_is_of_machine())
		return false;
	poll(NULL, 0, milliseconds);
	return true;
}

/* SCHED_IDLE of linux/sched.h, by which the kernel takes the disk's idle class too. */
static void stand_back(void)
{
	const int no_priority = 0;

	syscall(SYS_sched_setscheduler, 0, 5, &no_priority);
}

#define FUSE_MAGIC 0x65735546
#define NFS_MAGIC 0x6969

/* Behind a server it would be no faster than the image. */
static bool is_near(const struct statfs *fs)
{
	return (uint32_t)fs->f_type != FUSE_MAGIC && (uint32_t)fs->f_type != NFS_MAGIC &&
	       !(fs->f_flags & ST_NOEXEC);
}

/* Others need the disk too: twice the file is to be free, and a tenth of all. */
static bool has_room(uint64_t size)
{
	struct statfs fs;
	struct rlimit limit;

	if (fstatfs(CACHE, &fs) < 0 || getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return false;
	return is_near(&fs) && limit.rlim_cur >= size && fs.f_bavail * 10 >= fs.f_blocks &&
	       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= 2 * size;
}

/*
 * Adds up what is kept. `oldest` becomes the name of the file that is unused longest, "" for none.
 */
static uint64_t weigh(char oldest[HOT_NAME_MAX])
{
	DIR *dir = fdopendir(openat(CACHE, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	char mark[HOT_NAME_MAX + sizeof HOT_MARK];
	struct stat st, used;
	uint64_t bytes = 0;
	time_t last = INT64_MAX;

	*oldest = 0;
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		const char *name = entry->d_name;
		if (!hot_file_is_name(name) || fstatat(CACHE, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		stpcpy(stpcpy(mark, name), HOT_MARK);
		if (fstatat(CACHE, mark, &used, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* a mark itself, or a partial */
		bytes += (uint64_t)st.st_size;
		if (used.st_mtime <= last) {
			last = used.st_mtime;
			stpcpy(oldest, name);
		}
	}
	if (dir)
		closedir(dir);
	return bytes;
}

static bool make_room(const struct making *making)
{
	uint64_t size = making->file->record->size, limit = making->request->limit;
	char oldest[HOT_NAME_MAX];

	if (size > limit)
		return false;
	while (weigh(oldest) > limit - size)
		if (!*oldest || !hot_file_remove(CACHE, oldest))
			return false;
	return has_room(size);
}

/* Returns whether all of it was written, and is what the image's maker said. */
static bool copy(const struct making *making)
{
	static uint8_t zeros[4096];
	const struct hot_record *record = making->file->record;
	char digest[SHA256_TEXT];
	struct sqfs_inode inode;
	struct sha256 hash;

	if (sqfs_path_lookup(making->reader, record->path, false, &inode) != 0)
		return false;
	sha256_init(&hash);
	for (uint64_t at = 0; at < record->size;) {
		const uint8_t *data;
		ssize_t n = sqfs_read_block(making->reader, &inode, at, &data);
		if (n <= 0)
			return false;
		if (!data) { /* a hole */
			data = zeros;
			n = n < (ssize_t)sizeof zeros ? n : (ssize_t)sizeof zeros;
		}
		if (write_full(making->out, data, (size_t)n) < 0 || !may_go_on(0))
			return false;
		sha256_update(&hash, data, (size_t)n);
		at += (uint64_t)n;
	}
	sha256_text(&hash, digest);
	return memcmp(digest, record->digest, SHA256_TEXT - 1) == 0;
}

/* Gives the file its name, when all of it is on the disk. */
static bool publish(const struct making *making, const char *partial)
{
	const struct hot_file *file = making->file;
	const struct timespec times[2] = { { .tv_sec = file->mtime }, { .tv_sec = file->mtime } };

	return fchmod(making->out, file->mode) == 0 && futimens(making->out, times) == 0 &&
	       fsync(making->out) == 0 && renameat(CACHE, partial, CACHE, file->name) == 0;
}

/* It is the file of that name, and of no other. */
static bool is_partial(const struct making *making, const char *partial)
{
	struct stat st, named;

	return fstat(making->out, &st) == 0 && st.st_nlink == 1 &&
	       fstatat(CACHE, partial, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       named.st_ino == st.st_ino;
}

static void make(struct making *making)
{
	char partial[HOT_NAME_MAX + sizeof HOT_PARTIAL];

	stpcpy(stpcpy(partial, making->file->name), HOT_PARTIAL);
	OWNED_FD out = openat(CACHE, partial,
			      O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (out < 0 && errno != ELOOP)
		return;
	making->out = out;
	/* Somebody else is at it, or was just now. */
	if (out >= 0 && flock(out, LOCK_EX | LOCK_NB) < 0)
		return;
	if (is_partial(making, partial) && ftruncate(out, 0) == 0 && make_room(making) &&
	    copy(making) && publish(making, partial))
		return;
	unlinkat(CACHE, partial, 0);
}

static int keeper_main(void *argument)
{
	const struct hot_request *request = argument;
	const int fds[] = { request->cache, request->image->fd, request->app };
	struct sqfs image = *request->image;

	cache_detach(fds, 3, request->caller);
	prctl(PR_SET_NAME, "fuselage-keeper", 0, 0, 0);
	stand_back();
	if (!may_go_on(DELAY_MS))
		return 0;
	cache_reap_now(CACHE, request->caller);
	image.fd = IMAGE;
	struct sqfs_reader *reader = sqfs_reader_new(&image, 0);
	for (size_t i = 0; reader && i < request->count; i++) {
		const struct hot_file *file = &request->files[i];
		OWNED_FD kept = hot_file_open(file, CACHE, request->caller->uid, O_PATH);
		if (kept < 0)
			make(&(struct making){ request, file, reader, -1 });
	}
	return 0;
}

void hot_files_make(struct hot_request *request)
{
	OWNED_FD app = (int)syscall(SYS_pidfd_open, getpid(), 0);

	request->app = app;
	/* It would be a child of this process, which is the app soon. */
	if (app >= 0 && !child_adopts())
		child_leave(keeper_main, request);
}
