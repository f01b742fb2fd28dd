#include "kernel/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/owned.h"
#include "libc/sha256.h"
#include "kernel/trusted_path.h"
#include "generated/names.h"

#define COPY_BYTES 8192u

char *policy_trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = 0;
	return text;
}

/* Copies the archive to memory, where its contents stay what they were digested as. */
static int copy_if(const struct archive *archive, const char *digest)
{
	OWNED_FD memory = memfd_create("fuselage-archive", MFD_CLOEXEC);
	char buffer[COPY_BYTES], text[SHA256_TEXT];
	struct sha256 hash;
	ssize_t n;

	sha256_init(&hash);
	for (uint64_t at = 0; (n = pread_full(archive->fd, buffer, sizeof buffer, at)) != 0;
	     at += (uint64_t)n) {
		if (n < 0 || write_full(memory, buffer, (size_t)n) < 0)
			return -1;
		sha256_update(&hash, buffer, (size_t)n);
	}
	sha256_text(&hash, text);
	return strcmp(text, digest) == 0 ? steal_fd(&memory) : -1;
}

bool policy_is_named(char *path, const struct stat *file)
{
	const struct caller owner = { .uid = file->st_uid };
	struct failure ignored = { 0 };
	char *name = strrchr(path, '/');
	struct stat st;

	*name++ = 0;
	OWNED_FD dir = trusted_open(AT_FDCWD, *path ? path : "/", &owner, TRUSTED_ANY,
				    FUSELAGE_E_POLICY, &ignored);
	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

/* Whether the archive is the file that a line allows. */
static int allow(struct archive *archive, char *path, const char *word, struct failure *failure)
{
	struct stat st;
	char *end;

	if (fstat(archive->fd, &st) < 0)
		return 0;
	if (strlen(word) == SHA256_TEXT - 1) {
		int copy = copy_if(archive, word);
		if (copy < 0)
			return 0;
		close(archive->fd);
		archive->fd = copy;
		archive->allowed = true;
		return archive_reopen(archive, failure);
	}
	archive->allowed = strtoul(word, &end, 10) == st.st_uid && *end == 0 &&
			   !(st.st_mode & (S_IWGRP | S_IWOTH)) && policy_is_named(path, &st);
	return 0;
}

/* FILE and the word behind it: digits of a user or of a digest. */
static bool split(char *value, const char **word)
{
	char *space = strrchr(value, ' ');
	size_t length;

	if (!space || value[0] != '/')
		return false;
	*word = space + 1;
	length = strspn(*word, "0123456789abcdef");
	*space = 0;
	policy_trim(value);
	return (*word)[length] == 0 && length > 0 &&
	       (length == SHA256_TEXT - 1 || strspn(*word, "0123456789") == length);
}

/* What is read, and what it is about. */
struct reading {
	struct policy *policy;
	struct archive *archives;
	size_t count;
};

static bool read_setting(struct reading *reading, const char *key, char *value,
			 struct failure *failure)
{
	const char *word;

	if (strcmp(key, "loop") == 0) {
		reading->policy->loop = strcmp(value, "auto") == 0;
		return reading->policy->loop || strcmp(value, "never") == 0;
	}
	if (strncmp(key, FIXED_DIRECTORY "/", sizeof FIXED_DIRECTORY) != 0 || !split(value, &word))
		return false;
	for (size_t i = 0; i < reading->count; i++) {
		struct archive *archive = &reading->archives[i];
		if (archive->fixed && archive->use == ARCHIVE_STATIC && !archive->allowed &&
		    strcmp(archive->name, key + sizeof FIXED_DIRECTORY) == 0 &&
		    allow(archive, value, word, failure) < 0)
			return false;
	}
	return true;
}

static int read_line(struct reading *reading, char *line, struct failure *failure)
{
	char *equals = strchr(line, '=');

	if (equals) {
		*equals = 0;
		if (read_setting(reading, policy_trim(line), policy_trim(equals + 1), failure))
			return 0;
	}
	if (failure->code)
		return -1;
	return fail(failure, FUSELAGE_E_POLICY,
		    POLICY_FILE
		    ": \"%.80s\": expected loop = auto, loop = never or " FIXED_DIRECTORY
		    "/NAME = FILE UID-OR-SHA256",
		    line);
}

int policy_text(int dir, const char *path, uid_t owner, enum fuselage_code code, char *text,
		size_t size, struct failure *failure)
{
	OWNED_FD fd = openat(dir, dir == AT_FDCWD ? path : strrchr(path, '/') + 1,
			     O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	*text = 0;
	if (fd < 0 && errno == ENOENT)
		return 0;
	bool link = fd < 0 && errno == ELOOP;
	if (!link && (fd < 0 || fstat(fd, &st) < 0))
		return fail_errno(failure, code, "%.400s", path);
	if (link || !S_ISREG(st.st_mode))
		return fail(failure, code, "%.400s: expected a regular file, found %s", path,
			    link ? "a link" : "another kind");
	if ((st.st_uid && st.st_uid != owner) || st.st_mode & (S_IWGRP | S_IWOTH))
		return fail(failure, code,
			    "%.400s: expected a file of root%s that nobody else may write, found "
			    "owner %u, mode %04o",
			    path, owner ? " or the user" : "", (unsigned)st.st_uid,
			    st.st_mode & 07777);
	ssize_t n = pread_full(fd, text, size, 0);
	if (n < 0 || (size_t)n == size)
		return fail(failure, code, "%.400s: expected fewer than %zu bytes", path, size);
	text[n] = 0;
	if (strlen(text) != (size_t)n)
		return fail(failure, code, "%.400s: expected text, found a NUL", path);
	return 0;
}

char *policy_line(char **rest)
{
	while (*rest) {
		char *line = *rest, *end = strchr(line, '\n');
		*rest = end ? end + 1 : NULL;
		line[strcspn(line, "\n#")] = 0;
		line = policy_trim(line);
		if (*line)
			return line;
	}
	return NULL;
}

int policy_read(struct policy *policy, struct archive *archives, size_t count,
		struct failure *failure)
{
	struct reading reading = { policy, archives, count };
	char text[4096], *rest = text, *line;

	policy->loop = true;
	if (policy_text(AT_FDCWD, POLICY_FILE, 0, FUSELAGE_E_POLICY, text, sizeof text, failure) <
	    0)
		return -1;
	while ((line = policy_line(&rest)))
		if (read_line(&reading, line, failure) < 0)
			return -1;
	return 0;
}
