/* Paths as texts. */
#ifndef ROOT_PATHS_H
#define ROOT_PATHS_H

#include <stdbool.h>

/* Whether `path` is `folder` or below it. */
bool path_is_in(const char *path, const char *folder);

/* An absolute path without ".", "..", empty components and a slash at its end. To be freed; NULL: no memory. */
char *path_normal(const char *path);
bool path_is_normal(const char *path);

/* `path` with the home directory in place of "~" before its first slash. To be freed; NULL: no memory. */
char *path_from_home(const char *path);

/* Whether it is a path of the image's programs, which the machine's are not to cover. */
bool path_is_of_system(const char *path);

#endif
