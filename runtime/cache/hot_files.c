/* What is kept of hot files: how it is named, found and removed. */
#include "cache/hot_files.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/owned.h"
#include "libc/sha256.h"

#define DAY 86400
#define DIGITS (SHA256_TEXT - 1)

bool hot_file_find(struct hot_file *file, const struct hot_record *record,
		   struct sqfs_reader *reader)
{
	struct sqfs_inode inode;

	if (sqfs_path_lookup(reader, record->path, false, &inode) || inode.type != SQFS_FILE ||
	    inode.size != record->size || inode.xattr != SQFS_NO_ENTRY ||
	    inode.mode & (S_ISUID | S_ISGID | S_ISVTX | S_IWGRP | S_IWOTH))
		return false;
	*file = (struct hot_file){ record, "",	 inode.mode & 0777, inode.mtime, inode.number,
				   -1,	   false };
	snprintf(file->name, sizeof file->name, "%.*s.%o.%" PRIu32, DIGITS, record->digest,
		 file->mode, file->mtime);
	return true;
}

int hot_file_open(const struct hot_file *file, int cache, uid_t uid, int flags)
{
	OWNED_FD fd = openat(cache, file->name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	struct statfs fs;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 ||
	    st.st_mode != (S_IFREG | file->mode) || st.st_uid != uid || st.st_nlink != 1 ||
	    (uint64_t)st.st_size != file->record->size || st.st_mtim.tv_sec != file->mtime ||
	    fs.f_flags & ST_NOEXEC)
		return -1;
	return steal_fd(&fd);
}

static void mark_name(char mark[HOT_NAME_MAX + sizeof HOT_MARK], const struct hot_file *file)
{
	stpcpy(stpcpy(mark, file->name), HOT_MARK);
}

long hot_file_age(const struct hot_file *file, int cache)
{
	char mark[HOT_NAME_MAX + sizeof HOT_MARK];
	struct stat st;

	mark_name(mark, file);
	if (fstatat(cache, mark, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	/* A time in the future (the clock was wrong) is as good as none. */
	long age = (long)(time(NULL) - st.st_mtime);
	return age < 0 ? DAY : age;
}

void hot_file_mark(const struct hot_file *file, int cache)
{
	char mark[HOT_NAME_MAX + sizeof HOT_MARK];

	if (file->age >= 0 && file->age < DAY)
		return;
	mark_name(mark, file);
	OWNED_FD fd =
		openat(cache, mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd >= 0)
		futimens(fd, NULL);
}

bool hot_file_remove(int cache, const char *name)
{
	char base[HOT_NAME_MAX], mark[HOT_NAME_MAX + sizeof HOT_MARK];
	size_t length = strlen(name), tail = sizeof HOT_MARK - 1;

	if (length > tail && strcmp(name + length - tail, HOT_MARK) == 0)
		length -= tail;
	snprintf(base, sizeof base, "%.*s", (int)length, name);
	stpcpy(stpcpy(mark, base), HOT_MARK);
	bool removed = unlinkat(cache, base, 0) == 0;
	unlinkat(cache, mark, 0);
	return removed;
}

bool hot_file_is_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == DIGITS && name[DIGITS] == '.' &&
	       strlen(name) < HOT_NAME_MAX;
}
