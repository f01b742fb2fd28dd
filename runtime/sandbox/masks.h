/* Directories where users and programs meet, and the empty ones that take their places. */
#ifndef SANDBOX_MASKS_H
#define SANDBOX_MASKS_H

#include <sys/types.h>

#include "sandbox/grants.h"

struct mask {
	const char *path;
	mode_t mode;
	bool nested; /* in another one: a directory there, and no mount */
	int tree; /* the private directory, open as a mount, or -1 */
};

#define MASKS_MAX 10

struct masks {
	struct mask list[MASKS_MAX];
	size_t count;
};

/* Those that no rule opens. */
void masks_find(struct masks *masks, const struct grants *grants);

/* How much of `path` is that of the mount in memory that hides it, in bytes; 0 where nothing does. */
size_t masks_hide(const struct masks *masks, const char *path);

/* Makes every directory that leads to `path`, from its first `there` bytes on: in memory, where nobody has put a link. */
void masks_make_parents(const char *path, size_t there);

/* Opens private directories in `base`, a directory in memory: one for each, as mounts that can be moved. */
int masks_open(struct masks *masks, const char *base, struct failure *failure);

/* The same in a file system that is mounted for them. */
int masks_mount(struct masks *masks, struct failure *failure);

/* Puts them in their places. */
int masks_cover(const struct masks *masks, struct failure *failure);

/* Lets the app use those that are its own. Their descriptors are the list's from then on. */
int masks_grant(struct masks *masks, struct grants *grants, unsigned rights,
		struct failure *failure);

#endif
