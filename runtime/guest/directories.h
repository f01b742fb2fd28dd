/* Directories of a machine that has nothing yet. */
#ifndef GUEST_DIRECTORIES_H
#define GUEST_DIRECTORIES_H

/* Makes an absolute path with all that is missing on the way, mode 0755. Returns 0, or -1 and errno. */
int directories_make(const char *path);

#endif
