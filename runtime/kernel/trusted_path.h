/*
 * Paths that nobody but root and the caller can change. What such a path leads to, it leads to
 * tomorrow too, so that it may also be used as a text once it was walked.
 *
 * A path is walked from / by descriptors, one component after the other. Each has to
 *
 * - belong to root or to the caller, and
 * - be writable by nobody else, but for a sticky directory such as /tmp: what is in it can be moved
 *   by its owner only. A caller who is not root may write to its own directories by its own group
 *   too (mode 0775, which is usual where every user has a group of its own); who else is in that
 *   group is not looked at.
 *
 * Symbolic links are followed by the same rules, 40 at most. / itself is not looked at: whoever can
 * change that has won already. In a user namespace that maps one user or two, everybody else's
 * files belong to nobody (65534), root's too: such an owner counts as root where the namespace
 * maps no 65534, but not in a sticky directory. In one, and for root anywhere, a FUSE file system is
 * refused where it begins: whoever mounts it says to whom its files belong.
 */
#ifndef TRUSTED_PATH_H
#define TRUSTED_PATH_H

#include "kernel/privileges.h"

enum trusted_end {
	TRUSTED_ANY, /* root's or the caller's; things can be made in it by their names */
	TRUSTED_OWN, /* the caller's own, where nobody else can make anything */
	TRUSTED_MAKE, /* the same, made (mode 0700) if there is nothing; no link */
};

/*
 * Walks `path`, which is absolute, or relative to `at`, a directory that was walked to. Returns a
 * descriptor (O_PATH) of the directory it ends at, or -1, a failure with the code, and errno: EACCES
 * when others can change the path, EPERM or EEXIST when only its end is not as it has to be, EINVAL when
 * it is relative to the current directory.
 */
int trusted_open(int at, const char *path, const struct caller *caller, enum trusted_end end,
		 enum fuselage_code code, struct failure *failure);

#endif
