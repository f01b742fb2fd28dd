#include "start/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "start/cover.h"

#define LINKS_MAX 40 /* as the kernel follows */

/* text[0..end) is a link that leads nowhere: puts what it names in its place. */
static int splice_link(char *text, size_t end)
{
	char target[PATH_MAX], rest[PATH_MAX];
	char saved = text[end];
	size_t start = 0;

	text[end] = 0;
	ssize_t n = readlink(text, target, sizeof target - 1);
	text[end] = saved;
	if (n <= 0)
		return 0;
	target[n] = 0;
	if (target[0] != '/') /* from the folder that the link is in */
		for (start = end; text[start - 1] != '/'; start--)
			;
	stpcpy(rest, text + end);
	if (start + (size_t)n + strlen(rest) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	stpcpy(stpcpy(text + start, target), rest);
	return 1;
}

/* The longest beginning of `text` that exists, open; *end is its length. */
static int open_beginning(const char *text, size_t *end)
{
	char beginning[PATH_MAX];
	int fd;

	stpcpy(beginning, text);
	for (*end = strlen(text);;) {
		fd = open(*end ? beginning : "/", O_PATH | O_CLOEXEC);
		if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR) || *end == 0)
			return fd;
		while (beginning[--*end] != '/')
			;
		beginning[*end] = 0;
	}
}

static bool has_dots(const char *rest)
{
	for (; *rest; rest += strcspn(rest, "/")) {
		rest += strspn(rest, "/");
		size_t length = strcspn(rest, "/");
		if (length && length <= 2 && memcmp(rest, "..", length) == 0)
			return true;
	}
	return false;
}

/* The whole of `text`, of which `end` bytes exist and are called `real`. */
static int keep(struct place *place, const char *real, const char *rest)
{
	place->there = strlen(real);
	place->path = malloc(place->there + strlen(rest) + 1);
	if (!place->path)
		return -1;
	stpcpy(stpcpy(place->path, real), rest);
	return 0;
}

int place_find(struct place *place, const char *path)
{
	char text[PATH_MAX], real[PATH_MAX];
	size_t end;

	stpcpy(text, path);
	for (int links = 0; links < LINKS_MAX; links++) {
		OWNED_FD fd = open_beginning(text, &end);
		if (fd < 0)
			return -1;
		/* The name behind what exists is missing, or a link that leads nowhere. */
		size_t next = text[end] ? end + 1 + strcspn(text + end + 1, "/") : 0;
		int spliced = next ? splice_link(text, next) : 0;
		if (spliced < 0)
			return -1;
		if (spliced)
			continue;
		if (has_dots(text + end)) {
			errno = ENOENT;
			return -1;
		}
		if (descriptor_path(fd, real, sizeof real) < 0)
			return -1;
		return keep(place, real[1] ? real : "", text + end);
	}
	errno = ELOOP;
	return -1;
}

bool place_is_there(const struct place *place)
{
	return place->path[place->there] == 0;
}

/* Whether both are missing in the same directory. */
static bool are_together(const struct place *one, const struct place *other)
{
	return one->there == other->there && strncmp(one->path, other->path, one->there) == 0;
}

/* The directory of the caller's: a path by which it is to be entered again. */
struct cwd {
	char path[PATH_MAX]; /* "" when it has none any more */
	struct stat st;
};

static void look_at(struct cwd *cwd)
{
	if (syscall(SYS_getcwd, cwd->path, sizeof cwd->path) < 0 || cwd->path[0] != '/' ||
	    stat(".", &cwd->st) < 0)
		cwd->path[0] = 0;
}

/* Behind a new root, where only its path leads to it. One without a path stays in what is gone. */
static bool can_return(const struct cwd *cwd)
{
	struct stat st;

	return !cwd->path[0] || (stat(cwd->path, &st) == 0 && st.st_dev == cwd->st.st_dev &&
				 st.st_ino == cwd->st.st_ino);
}

static int make_together(struct start *start, const struct cwd *cwd, struct place **places,
			 size_t count, struct failure *failure)
{
	const struct place *first = places[0];
	OWNED char *directory = strndup(first->path, first->there);
	OWNED const char **names = calloc(count, sizeof *names);
	const char *where = "the current directory";
	int result = -1;

	if (!directory || !names)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "places");
	for (size_t i = 0; i < count; i++)
		names[i] = places[i]->path + places[i]->there + 1;
	const struct cover cover = { &start->identity, &start->procdir,
				     *directory ? directory : "/", names, count };
	if (*directory || can_return(cwd))
		result = cover_directory(&cover, &where);
	else
		errno = EACCES;
	if (result == 0 && cwd->path[0] && (!*directory || strcmp(cwd->path, directory) == 0))
		result = chdir(cwd->path);
	if (result == 0)
		return 0;
	return fail_errno(failure, first->code,
			  "%.300s: %.300s cannot be covered in this namespace: %.255s",
			  first->shown, cover.directory, where);
}

/* Those of the shortest directory to the front, which may hold the others'. Returns how many. */
static size_t take_together(struct place **places, size_t count)
{
	size_t together = 0;

	for (size_t i = 1; i < count; i++)
		if (places[i]->there < places[0]->there) {
			struct place *shortest = places[i];
			places[i] = places[0];
			places[0] = shortest;
		}
	for (size_t i = 0; i < count; i++)
		if (are_together(places[i], places[0])) {
			struct place *one = places[i];
			places[i] = places[together];
			places[together++] = one;
		}
	return together;
}

/* What can be left out is, when the rest was made by itself or nothing else was to be. */
static int leave_out(struct place **places, size_t count, struct failure *failure)
{
	for (size_t i = 0; i < count; i++)
		if (!places[i]->optional)
			return -1;
	for (size_t i = 0; i < count; i++)
		places[i]->left_out = true;
	failure_clear(failure);
	return 0;
}

int places_make(struct start *start, struct place **places, size_t count, struct failure *failure)
{
	struct cwd cwd;

	if (count)
		look_at(&cwd);
	for (size_t together; count; places += together, count -= together) {
		together = take_together(places, count);
		if (make_together(start, &cwd, places, together, failure) < 0 &&
		    leave_out(places, together, failure) < 0)
			return -1;
	}
	return 0;
}
