/* New directories in places that others may change. */
#ifndef BASE_PRIVATE_DIRECTORY_H
#define BASE_PRIVATE_DIRECTORY_H

#include <limits.h>

/*
 * Makes a directory of mode 0700 in the directory `parent`, called `stem` and a random number, and
 * opens it. Whoever owns `parent` can put another directory in its place before it is open, so that
 * is checked to be empty and of our making; what its name leads to later is not relied on. Returns
 * a descriptor (for reading), or -1 and errno.
 */
int private_directory(int parent, const char *stem, char name[NAME_MAX + 1]);

/* How many entries the directory `name` in `parent` has, or -1 and errno. No link is followed. */
int count_entries(int parent, const char *name);

#endif
