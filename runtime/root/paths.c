#include "root/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "generated/names.h"

bool path_is_in(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

char *path_normal(const char *path)
{
	char *normal = malloc(strlen(path) + 2);
	size_t size = 0;

	if (!normal)
		return NULL;
	for (size_t length; *path; path += length) {
		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 2 && memcmp(path, "..", 2) == 0) {
			while (size > 0 && normal[--size] != '/') {
			}
		} else if (length > 0 && !(length == 1 && *path == '.')) {
			normal[size++] = '/';
			memcpy(normal + size, path, length);
			size += length;
		}
	}
	if (size == 0)
		normal[size++] = '/';
	normal[size] = 0;
	return normal;
}

bool path_is_normal(const char *path)
{
	OWNED char *normal = path_normal(path);

	return normal && strcmp(normal, path) == 0;
}

char *path_from_home(const char *path)
{
	const char *home = getenv(ENV_HOME);
	char *whole = NULL;

	if (*path != '~' || (path[1] && path[1] != '/') || !home)
		return strdup(path);
	whole = malloc(strlen(home) + strlen(path));
	if (whole)
		stpcpy(stpcpy(whole, home), path + 1);
	return whole;
}

bool path_is_of_system(const char *path)
{
	static const char below[] = SYSTEM_PATHS_BELOW, exactly[] = SYSTEM_PATHS_EXACTLY;

	/* Each word ends in a null, and the string in one more. */
	for (const char *one = below; one < below + sizeof below - 1; one += strlen(one) + 1)
		if (path_is_in(path, one))
			return true;
	for (const char *one = exactly; one < exactly + sizeof exactly - 1; one += strlen(one) + 1)
		if (strcmp(path, one) == 0)
			return true;
	return false;
}
