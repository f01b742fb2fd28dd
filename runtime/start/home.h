/* The private folder of the caller on the host: <home>, for caches and mount points. */
#ifndef HOME_H
#define HOME_H

#include <limits.h>
#include <stdbool.h>

#include "base/fail.h"
#include "kernel/identity.h"

/*
 * Finds and makes <home>, before the namespace is entered. The first that can be used of
 * $FUSELAGE_HOME (alone when it is set), $HOME/.fuselage, $XDG_RUNTIME_DIR/fuselage, for root
 * /var/cache/fuselage, and /tmp/fuselage-<uid>. What lies below a directory that others can change
 * cannot be used; one that itself belongs to another user is an error, and with `writable` one that
 * cannot be written to is passed over.
 */
int home_prepare(char home[PATH_MAX], const struct identity *identity, bool writable,
		 struct failure *failure);

/* Opens or makes <home>/procdirs. Returns a descriptor, or -1 and errno. */
int home_open_procdirs(const char *home);

#endif
