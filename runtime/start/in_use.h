/* Who still needs a path on the host after the app has ended. */
#ifndef IN_USE_H
#define IN_USE_H

#include <stdbool.h>

/*
 * Whether a process of this user's, but for ours, was started with `path` in its environment: a
 * descendant of an app knows the place of its files by a variable. One that hides its environment, or was
 * started with another one, is not found.
 */
bool path_is_in_use(const char *path);

#endif
