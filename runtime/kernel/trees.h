/* Detached copies of mounts, and what a mount may be denied. Linux 5.2; attributes 5.12. */
#ifndef KERNEL_TREES_H
#define KERNEL_TREES_H

#include <stdbool.h>

/*
 * A copy of what is mounted at `path`, from there on down: with a user namespace a mount that came with
 * others below it is to be had only with these. Returns a descriptor (close-on-exec), or -1 and errno.
 */
int tree_open(int directory, const char *path);

/* The same of one mount, of our own. */
int tree_open_alone(int directory, const char *path);

/* Makes a tree read-only, with all that is mounted in it. */
int tree_read_only(int tree);

/* Lets nothing in a tree be executed, nor in what is mounted in it. */
int tree_no_exec(int tree);

/* Makes / read-only, and nothing that is mounted below. */
int tree_read_only_root(void);

/* Puts a tree at a path that nobody of the image can have changed: in /proc or /sys. */
int tree_move(int tree, const char *path);

/* A proc of the process namespace that this process is in. */
int tree_proc(void);

#endif
