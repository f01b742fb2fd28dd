/* The private folders of the caller on the host: for caches, and for mount points. */
#ifndef HOME_H
#define HOME_H

#include <limits.h>
#include <stdbool.h>

#include "base/fail.h"
#include "kernel/identity.h"

/* $FUSELAGE_HOME, or NULL: the caller wants everything to be there. */
const char *home_forced(void);

/*
 * Finds and makes <home>, which is for caches, before the namespace is entered. The first that can be
 * used of $HOME/.fuselage, $XDG_RUNTIME_DIR/fuselage, for root /var/cache/fuselage, and
 * /tmp/fuselage-<uid>; "" where there is none. What is another user's, or lies below a directory that
 * others can change, cannot be used. $FUSELAGE_HOME is used alone, or a failure.
 */
int home_prepare(char home[PATH_MAX], const struct identity *identity, struct failure *failure);

/* What is to happen in a folder for starts. */
enum home_use {
	HOME_COVERED, /* a tmpfs of the start covers it */
	HOME_STARTS, /* the start's directory is made in it: one that cannot be written to is passed over */
	HOME_MOUNTS, /* the same, where no start covers it */
};

/*
 * The same for the folder below which starts without root's place have their directories: the real
 * path of the first of /tmp/.fuselage-<uid>, $XDG_RUNTIME_DIR/fuselage-starts and <home>/procdirs.
 * With $FUSELAGE_HOME it is in that. For HOME_MOUNTS it is /tmp/.fuselage-<uid>-mounts,
 * $XDG_RUNTIME_DIR/fuselage-mounts or <home>/mounts.
 */
int home_prepare_starts(char starts[PATH_MAX], const struct caller *caller, const char *home,
			enum home_use use, struct failure *failure);

#endif
