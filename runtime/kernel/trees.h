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

/* Makes / and all that is mounted below read-only, in this mount namespace. */
int tree_read_only_all(void);

/*
 * A tree by descriptors, so that it lands on what was copied, whatever the path leads to meanwhile. A place is
 * what is at `path`, no link; a copy is of it, with all that is mounted below, and may cover it.
 */
int tree_place(const char *path);
int tree_open_at(int place);
int tree_cover(int tree, int place);

/* Covers what is at `path` with a copy of it: an entry that is a mount can neither be renamed nor removed. */
int tree_pin(const char *path, bool read_only);

/* Puts a tree at a path that nobody of the image can have changed: in /proc or /sys. */
int tree_move(int tree, const char *path);

/* A file system of the kernel's own: "cgroup2". It is mounted nowhere. */
int tree_system(const char *type);

/* A proc of the process namespace that this process is in. */
int tree_proc(void);

#endif
