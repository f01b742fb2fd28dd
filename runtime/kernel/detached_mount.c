#include "kernel/detached_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h> /* not with sys/mount.h: both define the same names */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/mount_point.h"

/* What fsconfig(2) takes as a value, NUL included; "source" is for the mount table only. */
#define VALUE_MAX 256

static int configure(int fs, unsigned command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, command, key, value, 0);
}

static int set(int fs, const char *key, const char *value)
{
	return configure(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value);
}

/* Up to a comma that is not in quotes. */
static size_t word_length(const char *words)
{
	bool quoted = false;
	size_t n = 0;

	for (; words[n] && (quoted || words[n] != ','); n++)
		quoted ^= words[n] == '"';
	return n;
}

/* "key=value,flag,...", as mount(2) takes them. */
static int set_all(int fs, const char *options)
{
	while (options && *options) {
		char word[VALUE_MAX];
		size_t length = word_length(options);
		if (length >= sizeof word) {
			errno = ENAMETOOLONG;
			return -1;
		}
		snprintf(word, sizeof word, "%.*s", (int)length, options);
		char *value = strchr(word, '=');
		if (value)
			*value++ = 0;
		if (value &&
		    *value == '"') { /* mount(2) takes the quotes away, fsconfig(2) does not */
			value++;
			value[strcspn(value, "\"")] = 0;
		}
		if (set(fs, word, value) < 0)
			return -1;
		options += length + (options[length] == ',');
	}
	return 0;
}

static int create(int fs, const struct mount_call *call, const char *subtype)
{
	const char *source = strlen(call->source) < VALUE_MAX ? call->source : "fuselage";

	if (set(fs, "source", source) < 0 || set_all(fs, call->options) < 0 ||
	    (subtype && set(fs, "subtype", subtype) < 0) || set(fs, "ro", NULL) < 0)
		return -1;
	return configure(fs, FSCONFIG_CMD_CREATE, NULL, NULL);
}

/* The kernel tells through the descriptor what errno does not: "e squashfs: ...". */
static int refuse(int fs, const char *type, struct failure *failure)
{
	int error = errno;
	char words[200];
	ssize_t n = read(fs, words, sizeof words - 1);

	words[n > 0 ? n : 0] = 0;
	words[strcspn(words, "\n")] = 0;
	errno = error;
	return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "detached mount of type %s%s%s", type,
			  *words ? ": " : "", *words ? words + 2 : "");
}

int detached_mount(const struct mount_call *call, struct failure *failure)
{
	const char *dot = strchr(call->type, '.');
	unsigned attributes = MOUNT_ATTR_RDONLY |
			      (call->flags & MOUNT_WITH_SUID ? 0 : MOUNT_ATTR_NOSUID) |
			      (call->flags & MOUNT_WITH_DEV ? 0 : MOUNT_ATTR_NODEV);
	char type[16];

	snprintf(type, sizeof type, "%.*s", (int)strcspn(call->type, "."), call->type);
	if (call->flags & MS_NOEXEC)
		attributes |= MOUNT_ATTR_NOEXEC;
	OWNED_FD fs = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
	if (fs < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "fsopen %s", type);
	if (create(fs, call, dot ? dot + 1 : NULL) < 0)
		return refuse(fs, type, failure);
	OWNED_FD mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	if (mount < 0)
		return refuse(fs, type, failure);
	return steal_fd(&mount);
}
