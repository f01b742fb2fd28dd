/*
 * What of the machine is to be inside, as detached trees: taken while it is visible, placed when the
 * image is the root (place.h).
 */
#ifndef ROOT_SOURCES_H
#define ROOT_SOURCES_H

#include "root/place.h"
#include "root/root_start.h"

#define SOURCES_FIXED 40 /* at most, besides the volumes */
#define MASKED_DIRECTORIES 5

struct sources {
	struct place *places; /* in the order in which they are placed */
	size_t count;
	bool home, cwd; /* whether $HOME and the working directory are among them */
	char *texts[2]; /* that some of their paths are in */
	dev_t memory; /* the tmpfs of this start */
};

/*
 * The machine's: /sys, /dev, files of /etc, $HOME, the working directory, volumes, sockets of the
 * desktop, /proc. `base` is the tmpfs of this start, with what /tmp, /run and a /dev of its own are
 * made of.
 */
int sources_collect(struct sources *sources, const struct root_start *root, int base,
		    struct failure *failure);

/* When they are placed: what could not be had is not inside. */
void sources_settle(struct sources *sources);

#endif
