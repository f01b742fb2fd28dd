/* Moves what is in one directory into another, over what has the same name there. */
#ifndef MERGE_H
#define MERGE_H

#include <stddef.h>

/*
 * Every file appears by rename, so whole or not at all; nothing that is already there is followed.
 * A directory that both have gets the contents of both and the permissions of the new one; a
 * directory never takes the place of a file, nor the other way round. Returns 0, or -1 and errno,
 * with the name that was at fault in `name`.
 */
int merge_directory(int from, int to, char *name, size_t name_size);

#endif
