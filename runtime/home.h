/* The private folder of the caller on the host: <home>, for caches and mount points. */
#ifndef HOME_H
#define HOME_H

#include "start.h"

/*
 * Finds and makes <home>, before the namespace is entered. The first that can be used of
 * $FUSELAGE_HOME (alone when it is set), $HOME/.fuselage, $XDG_RUNTIME_DIR/fuselage,
 * /tmp/fuselage-<uid>. One that belongs to another user is an error, and with `writable` one that
 * cannot be written to is passed over.
 */
int home_prepare(struct start *start, bool writable, struct failure *failure);

/* Opens or makes <home>/procdirs, a directory of the user's. Returns a descriptor, or -1 and errno. */
int home_open_procdirs(const char *home, uid_t uid);

#endif
