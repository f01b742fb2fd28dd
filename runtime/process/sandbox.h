/*
 * What the server cannot do any more: it parses what anyone made, and needs nothing for that but
 * to read its image and to answer on descriptors that it has.
 *
 * Each part is a wall of its own; where a kernel lacks one, the others stand. Built with a
 * sanitizer, whose runtime opens files, the system call filter is left out.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>

/*
 * Gives up every right that is not a system call: no capabilities and none to be gained, no core,
 * no tracing by others of the same user, no files and no network to be opened (Landlock), no file
 * to grow beyond `file_bytes`, `descriptors` of them at the most.
 */
void sandbox_drop_rights(unsigned descriptors, size_t file_bytes);

/*
 * From here on a system call that is not on the list kills the process. Installing it takes some
 * 50 µs: do it while nobody waits.
 */
void sandbox_filter(void);

/*
 * Both for the process that keeps a mount (share/holder.h), which parses nothing: of the
 * capabilities it has the one to copy its mount, over its own user namespace. Returns how many
 * descriptors it may have: as many as wanted, or as its user.
 */
unsigned sandbox_holder(unsigned descriptors);

/* For all threads: no more of them. Call it once, when they are there. */
void sandbox_no_more_threads(void);

#endif
