/* Files that are shared by several, and must not be changed by accident. */
#ifndef BASE_PROTECT_H
#define BASE_PROTECT_H

/*
 * Takes the rights to write, and set-id bits, off `name` below the directory `parent` and all that
 * is in it; a directory can be listed and entered by its owner afterwards. Modes are all that
 * changes; symbolic links are left alone. Returns 0, or -1 and errno.
 */
int protect_tree(int parent, const char *name);

#endif
