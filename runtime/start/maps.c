#include "start/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/show.h"
#include "base/descriptors.h"
#include "base/owned.h"
#include "base/variable.h"
#include "generated/names.h"
#include "kernel/mount_point.h"
#include "libc/find_words.h"
#include "start/places.h"

#define AUTOFS_MAGIC 0x0187 /* of linux/magic.h */

/* What the mount table calls the mount under each of ours: so a start inside of this one knows them. */
#define MARK "fuselage-map"

static void say_left_out(const struct map *map, const char *why)
{
	if (!variable_is_on(ENV_FUSELAGE_DEBUG))
		return;
	fputs("fuselage: ", stderr);
	show_print(stderr, map->text);
	fprintf(stderr, " is left out: %s\n", why);
}

/* For what an optional one is left out for. */
static int leave_out(struct map *map, struct failure *failure)
{
	if (!map->optional)
		return -1;
	say_left_out(map, failure->text);
	failure_clear(failure);
	map->left_out = true;
	return 0;
}

int maps_begin(struct start *start, struct failure *failure)
{
	struct invocation *invocation = &start->invocation;

	if (!start->identity.caller.setuid)
		return 0;
	for (size_t i = 0; i < invocation->map_count; i++) {
		struct map *map = &invocation->maps[i];
		fail(failure, FUSELAGE_E_MAP_REFUSED,
		     "%.600s: not by a setuid-root installation, where root would mount at a path "
		     "that "
		     "others know",
		     map->text);
		if (leave_out(map, failure) < 0)
			return -1;
	}
	return 0;
}

int maps_without_namespace(struct start *start, struct failure *failure)
{
	struct invocation *invocation = &start->invocation;

	for (size_t i = 0; i < invocation->map_count; i++) {
		struct map *map = &invocation->maps[i];
		if (map->left_out)
			continue;
		fail(failure, FUSELAGE_E_MAP_NAMESPACE,
		     "%.300s: nothing can appear at %.300s: %.300s", map->text, map->path,
		     start->mounting.refusal.text);
		fail_cause(failure, start->mounting.refusal.cause);
		if (leave_out(map, failure) < 0)
			return -1;
	}
	return 0;
}

/*
 * Whether the mount at `path` is of a start that this one is inside of. What another app's start has
 * there is nothing of the machine's.
 */
static bool is_of_start(const char *path)
{
	OWNED_FD table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char at[PATH_MAX + 2], text[3 * PATH_MAX];
	size_t used = 0;
	ssize_t n;

	/* " PATH " in a line; one with a character that is escaped there is not found. */
	snprintf(at, sizeof at, " %s ", path);
	while ((n = read(table, text + used, sizeof text - 1 - used)) > 0) {
		char *line = text, *end;
		text[used + (size_t)n] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			if (find_words(line, at) && find_words(line, " " MARK " "))
				return true;
		}
		used = strlen(line);
		memmove(text, line, used);
	}
	return false;
}

static bool is_same(const char *path, const struct stat *st)
{
	struct stat other;

	return path && *path && stat(path, &other) == 0 && other.st_dev == st->st_dev &&
	       other.st_ino == st->st_ino;
}

/* Whether new names come and go in the directory all the time: a covered one would not have them. */
static const char *why_not_covered(const char *directory)
{
	struct statfs fs;
	struct stat st;

	if (stat(directory, &st) < 0 || statfs(directory, &fs) < 0)
		return "cannot be looked at";
	if (!S_ISDIR(st.st_mode))
		return "is a file";
	if (fs.f_type == AUTOFS_MAGIC)
		return "is automounted: what it has is not known";
	if (st.st_mode & S_IWOTH)
		return "is everybody's to write to: programs meet there";
	if (is_same(getenv(ENV_HOME), &st) || is_same(getenv("XDG_RUNTIME_DIR"), &st))
		return "is the caller's own, where programs make files";
	return NULL;
}

/* Whether the machine lets the folder appear there. */
static int check_place(const struct start *start, const struct map *map, const struct place *place,
		       struct failure *failure)
{
	char directory[PATH_MAX];
	struct stat st;

	if (map_check_reserved(map, place->path, failure) < 0)
		return -1;
	if (path_is_within(place->path, start->procdir.base) ||
	    path_is_within(start->procdir.base, place->path))
		return fail(failure, FUSELAGE_E_MAP_RESERVED,
			    "%.300s: %.300s has the directories of this start, %.300s", map->text,
			    place->path, start->procdir.base);
	if (!place_is_there(place)) {
		snprintf(directory, sizeof directory, "%.*s", (int)place->there, place->path);
		const char *why = *directory ? why_not_covered(directory) : NULL;
		return why ? fail(failure, FUSELAGE_E_MAP_REFUSED,
				  "%.300s: %.300s is missing, and %.300s %s", map->text,
				  place->path, directory, why) :
			     0;
	}
	if (stat(place->path, &st) < 0)
		return fail_errno(failure, FUSELAGE_E_MAP_EXISTS, "%.300s: %.300s", map->text,
				  place->path);
	if (!S_ISDIR(st.st_mode))
		return fail(failure, FUSELAGE_E_MAP_EXISTS, "%.300s: %.300s is a file here",
			    map->text, place->path);
	if (map->hides && (st.st_mode & S_ISVTX) && (st.st_mode & S_IWOTH))
		return fail(failure, FUSELAGE_E_MAP_RESERVED,
			    "%.300s: %.300s is where all programs meet", map->text, place->path);
	if (map->hides || is_of_start(place->path))
		return 0;
	return fail(failure, FUSELAGE_E_MAP_EXISTS, "%.300s: %.300s is there on this machine",
		    map->text, place->path);
}

static int check_links(const struct map *maps, size_t count, const struct map *map,
		       struct failure *failure)
{
	for (size_t i = 0; i < count; i++)
		if (maps[i].place && !maps[i].left_out &&
		    (path_is_within(maps[i].place, map->place) ||
		     path_is_within(map->place, maps[i].place)))
			return fail(failure, FUSELAGE_E_MAP_OVERLAP,
				    "\"%.300s\" and \"%.300s\": links of this machine lead to "
				    "%.300s",
				    maps[i].text, map->text, map->place);
	return 0;
}

static int find(const struct start *start, struct map *map, struct place *place,
		struct failure *failure)
{
	if (place_find(place, map->path) < 0)
		return fail_errno(failure, FUSELAGE_E_MAP_REFUSED, "%.300s: %.300s", map->text,
				  map->path);
	map->place = place->path;
	place->code = FUSELAGE_E_MAP_REFUSED;
	place->shown = map->text;
	place->optional = map->optional;
	if (check_links(start->invocation.maps, (size_t)(map - start->invocation.maps), map,
			failure) < 0)
		return -1;
	return check_place(start, map, place, failure);
}

int maps_prepare(struct start *start, struct failure *failure)
{
	struct invocation *invocation = &start->invocation;
	size_t count = invocation->map_count, missing = 0;
	OWNED struct place *places = calloc(count + 1, sizeof *places);
	OWNED struct place **made = calloc(count + 1, sizeof(struct place *));

	if (!places || !made)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "maps");
	for (size_t i = 0; i < count; i++) {
		struct map *map = &invocation->maps[i];
		if (map->left_out)
			continue;
		if (find(start, map, &places[i], failure) < 0) {
			if (leave_out(map, failure) < 0)
				return -1;
		} else if (!place_is_there(&places[i])) {
			made[missing++] = &places[i];
		}
	}
	int result = places_make(start, made, missing, failure);
	for (size_t i = 0; i < count; i++)
		if (places[i].left_out) {
			invocation->maps[i].left_out = true;
			say_left_out(&invocation->maps[i], "it cannot be covered here");
		}
	return result;
}

/* The folder in its image, no link followed: a link of an image leads anywhere. */
static int open_source(const char *root, const struct map *map)
{
	const char *end = map->source + map->source_size;
	char name[NAME_MAX + 1];
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (const char *at = map->source; dir >= 0 && at < end;) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t length = (size_t)((slash ? slash : end) - at);
		OWNED_FD parent = dir;
		errno = ENAMETOOLONG;
		if (length > NAME_MAX)
			return -1;
		snprintf(name, sizeof name, "%.*s", (int)length, at);
		dir = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		at += length + 1;
	}
	return dir;
}

static int place_map(const struct start *start, const struct map *map, struct failure *failure)
{
	static const struct mount_call mark = { MARK, "tmpfs", MS_RDONLY, "mode=0755" };
	const struct archive *archive = &start->invocation.archives[map->archive];
	OWNED_FD folder = open_source(archive->target, map);
	/* Both mounts are on this one, the second on top: its name may lead elsewhere by now. */
	OWNED_FD place = mount_point_real(map->place, O_PATH);
	char source[48];

	if (folder < 0)
		return fail_errno(failure, FUSELAGE_E_MAP_SOURCE, "%.300s: %.*s in %.300s",
				  map->text, (int)map->source_size, map->source, archive->name);
	descriptor_link(source, sizeof source, folder, ".");
	const struct mount_call bind = { source, NULL, MS_BIND, NULL };
	if (place >= 0 && mount_at(&start->identity, place, ".", &mark) == 0 &&
	    mount_at(&start->identity, place, ".", &bind) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_MAP_REFUSED, "%.300s: mount at %.300s", map->text,
			  map->place);
}

int maps_place(struct start *start, struct failure *failure)
{
	for (size_t i = 0; i < start->invocation.map_count; i++)
		if (!start->invocation.maps[i].left_out &&
		    place_map(start, &start->invocation.maps[i], failure) < 0)
			return -1;
	return 0;
}
