/*
 * The ephemeral directories of a start:
 *
 *   <procdir>/tmp              FUSELAGE_TMPDIR
 *   <procdir>/static/<name>    FUSELAGE_STATIC
 *   <procdir>/dynamic/<name>   FUSELAGE_DYNAMIC
 *
 * With root's rights <procdir> is /run/fuselage-starts/<pid>: root mounts there, so nobody else may
 * own or change a directory on the way, not even the caller for whom it is done. Any other start has
 * /tmp/.fuselage-<uid>/<pid> (home.h). On the host both are empty; a tmpfs of the start covers them.
 *
 * What a bundle mounts on the host by choice is below /tmp/.fuselage-<uid>-mounts, where no start covers
 * it: its app may start the runner.
 */
#ifndef PROCDIR_H
#define PROCDIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"
#include "kernel/identity.h"
#include "generated/names.h"

struct procdir {
	char base[PATH_MAX]; /* a real path, without links: programs compare theirs with it */
	char path[PATH_MAX]; /* below it */
	bool chosen; /* on the host though there could be a namespace: where no start covers it */
	int fd; /* of it, or -1 */
	int lock; /* on it, when the host sees it, or -1 */
};

/*
 * While the host's namespace is still around: finds where a start without root's rights has its
 * directories. With them that is /run/fuselage-starts, which is made when it is needed.
 */
int procdir_prepare(struct procdir *procdir, const struct identity *identity, const char *home,
		    struct failure *failure);

/*
 * Inside the namespace: mounts the tmpfs and makes the directories. They are root's in setuid-root
 * mode until procdir_hand_over.
 */
int procdir_mount(struct procdir *procdir, const struct identity *identity, const char *home,
		  struct failure *failure);

/*
 * Without a namespace: makes the directories of this start on the host, and locks them (procdir->lock)
 * for as long as anybody of this start lives. `mode` is of root's, 0755 or 0700; a user's are private.
 */
int procdir_make(struct procdir *procdir, const struct identity *identity, const char *home,
		 mode_t mode, struct failure *failure);

/* Makes a directory, named relative to <procdir>, with root's rights. Returns 0, or -1 and errno. */
int procdir_add(const struct procdir *procdir, const struct identity *identity, const char *name,
		mode_t mode);
/* Gives one to the caller; in setuid-root mode only, where it is root's. */
int procdir_give(const struct procdir *procdir, const struct identity *identity, const char *name);

/* Whether nobody has removed the directory that is open. */
bool procdir_is_there(int dir);

/* Everything is mounted: the directories become the caller's. */
int procdir_hand_over(const struct procdir *procdir, const struct identity *identity,
		      struct failure *failure);

/*
 * Keeps the names <home>/procdirs/<pid>, by which a start is documented: a link in the home. To be
 * called when root has been given up.
 */
void procdir_link(const struct procdir *procdir, const char *home);

#endif
