/*
 * Who starts us, and what of root's rights is used when. Three models:
 *
 *   root          CAP_SYS_ADMIN is ours anyway; a mount namespace is enough
 *   setuid-root   installed setuid-root, started by a user: runs as the user from its first line on
 *                 and takes root's effective uid for single mount calls only
 *   unprivileged  a user namespace that maps the caller and nobody else
 */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/fail.h"

struct caller {
	uid_t uid; /* real: the user's */
	gid_t gid;
	bool setuid; /* root's rights are ours to take, and to drop for ever */
};

/*
 * First thing of all: in setuid-root mode goes on as the user (root stays the saved uid), and
 * makes sure that descriptors 0 to 2 are open, so that nothing opened later takes their place.
 */
int privileges_begin(struct caller *caller, struct failure *failure);

/* Root's effective uid, for the calls between the two, whose errno stays. Without setuid-root they do
 * nothing. */
void privileges_raise(const struct caller *caller);
void privileges_lower(const struct caller *caller);

/*
 * Gives up root for ever: real, effective and saved ids become the user's, which is verified. The
 * supplementary groups are the user's own and stay.
 */
int privileges_drop(const struct caller *caller, struct failure *failure);

/*
 * Gives up root for ever and goes on as if there had been no setuid bit: an ordinary process of the
 * caller's, also to the kernel.
 */
int privileges_forget(struct caller *caller, struct failure *failure);

/*
 * Runs `work` where a fault in it gives nobody root: in setuid-root mode in a process of its own
 * that has given root up for ever, else right here. For all that parses what the caller made. A
 * descriptor that `work` returns (>= 0) is handed back; other results are 0 and -1.
 */
int privileges_isolated(const struct caller *caller,
			int (*work)(void *context, struct failure *failure), void *context,
			struct failure *failure);

#endif
