#include "guest/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/owned.h"
#include "guest/directories.h"
#include "kernel/trees.h"

#define VOLUMES "/run/fuselage-volumes"

/* Their roots, in copies of the mounts: what the app covers is found, and what it unmounts is not in use by this. */
static struct {
	int *fds;
	size_t count;
} roots;

struct volume {
	char type[16], tag[64];
	bool read_only;
	const char *path;
};

/* Copies the word and passes over the blank behind it. NULL: there is none, or it does not fit. */
static const char *take_word(const char *text, char *word, size_t room)
{
	size_t length = strcspn(text, " ");

	if (length == 0 || length >= room || !text[length])
		return NULL;
	memcpy(word, text, length);
	word[length] = 0;
	return text + length + 1;
}

static int parse(struct volume *volume, const char *text, struct failure *failure)
{
	char mode[3] = "";
	const char *at = take_word(text, volume->type, sizeof volume->type);

	at = at ? take_word(at, volume->tag, sizeof volume->tag) : NULL;
	at = at ? take_word(at, mode, sizeof mode) : NULL;
	volume->path = at;
	volume->read_only = strcmp(mode, "ro") == 0;
	if (at && *at == '/' && at[1] && (volume->read_only || strcmp(mode, "rw") == 0) &&
	    (strcmp(volume->type, "virtiofs") == 0 || strcmp(volume->type, "9p") == 0))
		return 0;
	return fail(failure, FUSELAGE_E_GUEST_START, "volume: unexpected value \"%.300s\"", text);
}

static int mount_volume(const struct volume *volume, const char *target, struct failure *failure)
{
	bool is_9p = strcmp(volume->type, "9p") == 0;
	/* Messages as large as QEMU takes; no cache, so that both sides see the same at once. */
	const char *options = is_9p ? "trans=virtio,version=9p2000.L,msize=512000" : NULL;
	unsigned long flags = MS_NOSUID | MS_NODEV | (volume->read_only ? MS_RDONLY : 0);

	if (directories_make(target) < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "volume: %.600s", target);
	if (mount(volume->tag, target, volume->type, flags, options) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "volume: %.600s (%s, tag %s)%s", target,
			  volume->type, volume->tag,
			  errno == ENODEV ? ": the kernel has no such file system" : "");
}

/* -1 for a kernel that copies no mounts. */
static int keep_root(const char *target, struct failure *failure)
{
	int *fds = realloc(roots.fds, (roots.count + 1) * sizeof *fds);
	OWNED_FD tree = tree_open_alone(AT_FDCWD, target);

	if (!fds)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "volumes");
	roots.fds = fds;
	fds[roots.count++] = tree < 0 ? -1 : openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

/* -v PLACE:PATH[:ro] */
static int add_words(struct run_file *run, const struct volume *volume, const char *place,
		     struct failure *failure)
{
	size_t count = run->words.count;
	size_t size = strlen(place) + strlen(volume->path) +
		      sizeof ":"
			     ":ro";
	const char **texts = realloc(run->words.texts, (count + 3) * sizeof *texts);
	char *word = texts ? malloc(size) : NULL;

	if (texts)
		run->words.texts = texts;
	if (!word)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "volumes");
	snprintf(word, size, "%s:%s%s", place, volume->path, volume->read_only ? ":ro" : "");
	texts[count] = "-v";
	texts[count + 1] = word;
	texts[count + 2] = NULL;
	run->words.count = count + 2;
	return 0;
}

int volumes_mount(struct run_file *run, bool by_options, struct failure *failure)
{
	for (size_t i = 0; i < run->volumes.count; i++) {
		struct volume volume;
		char place[sizeof VOLUMES + 24];
		if (parse(&volume, run->volumes.texts[i], failure) < 0)
			return -1;
		snprintf(place, sizeof place, VOLUMES "/%zu", i);
		const char *target = by_options ? place : volume.path;
		if (mount_volume(&volume, target, failure) < 0 || keep_root(target, failure) < 0 ||
		    (by_options && add_words(run, &volume, place, failure) < 0))
			return -1;
	}
	return 0;
}

pid_t volumes_flush(void)
{
	pid_t child = roots.count > 0 ? fork() : 0;

	if (roots.count == 0 || child != 0)
		return child > 0 ? child : 0;
	for (size_t i = 0; i < roots.count; i++)
		if (roots.fds[i] < 0)
			syscall(SYS_sync);
		else
			syscall(SYS_syncfs, roots.fds[i]);
	_exit(0);
}
