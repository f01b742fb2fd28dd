/*
 * Where the ephemeral directories of a start are:
 *
 *   <home>/procdirs/           on the host an empty directory; here covered by a tmpfs
 *     <pid>/tmp                FUSELAGE_TMPDIR
 *     <pid>/static/<name>      FUSELAGE_STATIC
 *     <pid>/dynamic/<name>     FUSELAGE_DYNAMIC
 */
#ifndef HOME_H
#define HOME_H

#include "start.h"

/*
 * Finds and makes <home> and <home>/procdirs on the host, before the namespace is entered. The
 * first that can be used of $FUSELAGE_HOME (alone when it is set), $HOME/.fuselage,
 * $XDG_RUNTIME_DIR/fuselage, /tmp/fuselage-<uid>. One that belongs to another user is an error.
 */
int home_prepare(struct start *start, struct failure *failure);

/* Inside the namespace: covers procdirs with a tmpfs and makes the directories of this start. */
int home_mount(struct start *start, struct failure *failure);

/*
 * Without a namespace: makes the directories of this start on the host, mode 0700, and locks them
 * (start->lock) for as long as anybody of this start lives.
 */
int home_make(struct start *start, struct failure *failure);

#endif
