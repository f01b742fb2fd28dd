/* Removes a tree whose directories may forbid it. */
#ifndef BASE_REMOVE_H
#define BASE_REMOVE_H

/*
 * Removes `name` below the directory `parent` with all that is in it, on its own file system only.
 * What cannot be removed stays, silently.
 */
void remove_tree(int parent, const char *name);

#endif
