/* What the app may do, as container engines give it: the last thing before exec. */
#ifndef ROOT_RIGHTS_H
#define ROOT_RIGHTS_H

#include "root/root_start.h"

/*
 * Becomes USER where that takes ids, drops the capabilities that podman's containers have not, and
 * where the caller is the only user and root inside, has the kernel answer 0 to what that root cannot
 * do.
 */
int rights_take(const struct root_start *root, const struct identity *identity,
		struct failure *failure);

/* Whether chown, setuid and the like are answered with success. */
bool rights_are_faked(const struct root_start *root, const struct identity *identity);

#endif
