/*
 * Archives as files on disk, for starts that get no namespace and no mount:
 *
 *   <base>/cache/<key>.tree/files   everything that is in the archive, read-only
 *   <base>/cache/<key>.tree/digest  a symlink whose text is all 64 digits; key: the first 16
 *   <base>/cache/<key>.partial      a tree that is being made, or what is left of one
 *   <base>/cache/<key>.lock         held (flock) by who makes it
 *   <base>/cache/<key>.id           a symlink whose text is the digest of what the kernel says of an
 *                                   archive's file, and that of what is in it
 *
 * <base> is ~/.fuselage, or where that is of no use (noexec) the first of $TMPDIR, /tmp, /dev/shm,
 * /var/tmp and $XDG_RUNTIME_DIR that is. A tree's time is its last use; cache_reap removes it.
 */
#ifndef CACHE_TREES_H
#define CACHE_TREES_H

#include "archive/archive.h"
#include "kernel/privileges.h"

/*
 * Finds the tree of an archive (squashfs or zip), or makes it: of several processes that need the
 * same one makes it and the others wait. archive->target becomes the directory of the files, and
 * what was there, an empty directory, a symlink to it. The tree is kept from the reaper for as long
 * as whoever is at the other end of the socket `janitor` lives. `home` is ~/.fuselage.
 */
int cache_tree_place(struct archive *archive, const struct caller *caller, const char *home,
		     int janitor, struct failure *failure);

/*
 * Removes the trees of an archive, wherever they are, and prints their paths. One that a start uses stays.
 */
void cache_tree_forget(struct archive *archive, const struct caller *caller, const char *home);

#endif
