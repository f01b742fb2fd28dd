#include "bundle/map.h"

#include <limits.h>
#include <string.h>

#include "generated/names.h"

/* So that what is behind it, and what links on the way add, still makes a path. */
#define PATH_LIMIT (PATH_MAX / 2)

static int invalid(const struct map *map, const char *why, struct failure *failure)
{
	return fail(failure, FUSELAGE_E_MAP_INVALID, "\"%.600s\": %s", map->text, why);
}

/* Whether it is what a path becomes when it has been followed: "a/b", never "a//b", "./a" or "a/..". */
static bool is_normal(const char *path, size_t size)
{
	for (const char *end = path + size; path <= end;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t length = (size_t)((slash ? slash : end) - path);
		if (length == 0 || (length <= 2 && memcmp(path, "..", length) == 0))
			return false;
		path += length + 1;
	}
	return true;
}

/* The first = that a path stands behind: names may hold one too. */
static const char *find_path(struct map *map)
{
	for (const char *at = strchr(map->text, '='); at; at = strchr(at + 1, '=')) {
		const char *path = at + 1 + strspn(at + 1, "?!");
		if (*path != '/' || path > at + 3)
			continue;
		map->source_size = (size_t)(at - map->text);
		map->optional = memchr(at, '?', (size_t)(path - at)) != NULL;
		map->hides = memchr(at, '!', (size_t)(path - at)) != NULL;
		return path;
	}
	return NULL;
}

int map_parse(struct map *map, const char *text, struct failure *failure)
{
	*map = (struct map){ .text = text, .source = text };
	map->path = find_path(map);
	if (!map->path)
		return invalid(map, "expected DIR=/absolute/path", failure);
	if (!is_normal(map->source, map->source_size) &&
	    !(map->source_size == 1 && *map->source == '.'))
		return invalid(map,
			       "expected a folder below the image's root, without . and .., or . "
			       "alone",
			       failure);
	if (strlen(map->path) >= PATH_LIMIT)
		return invalid(map, "the path is too long: expected less than 2048 bytes", failure);
	if (map->path[1] && !is_normal(map->path + 1, strlen(map->path) - 1))
		return invalid(map,
			       "expected a path without ., .. and empty components, and no slash "
			       "at its end",
			       failure);
	return 0;
}

bool path_is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

int map_check_reserved(const struct map *map, const char *path, struct failure *failure)
{
	if (!path[1])
		return fail(failure, FUSELAGE_E_MAP_RESERVED, "\"%.600s\": / is the whole machine",
			    map->text);
	for (const char *reserved = RESERVED_PATHS; *reserved; reserved += strlen(reserved) + 1)
		if (path_is_within(path, reserved) || path_is_within(reserved, path))
			return fail(failure, FUSELAGE_E_MAP_RESERVED,
				    "\"%.600s\": %.300s %s %s, which is the system's", map->text,
				    path, path_is_within(path, reserved) ? "is in" : "has",
				    reserved);
	return 0;
}

int maps_check(const struct map *maps, size_t count, struct failure *failure)
{
	for (size_t i = 0; i < count; i++) {
		if (map_check_reserved(&maps[i], maps[i].path, failure) < 0)
			return -1;
		for (size_t j = 0; j < i; j++)
			if (path_is_within(maps[i].path, maps[j].path) ||
			    path_is_within(maps[j].path, maps[i].path))
				return fail(failure, FUSELAGE_E_MAP_OVERLAP,
					    "\"%.400s\" and \"%.400s\": %s", maps[j].text,
					    maps[i].text,
					    strcmp(maps[i].path, maps[j].path) == 0 ?
						    "twice at one path" :
						    "one is below the other");
	}
	return 0;
}
