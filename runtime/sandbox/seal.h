/* What a process gives up for ever: the last steps before exec. */
#ifndef SANDBOX_SEAL_H
#define SANDBOX_SEAL_H

#include "sandbox/grants.h"

/* What there is to enforce rules with, here and now. */
struct facts {
	int landlock; /* version, or 0 */
	bool filter; /* of system calls */
	bool views; /* private directories */
	bool pid, netns, ipcns; /* namespaces that rules ask for */
	const char *no_namespace; /* why there is no namespace, or NULL */
	const char *no_bus; /* why names on the bus are not let through that rules name, or NULL */
};

/*
 * no_new_privs, capabilities, descriptors, Landlock and the filter, in this order. Returns 0 or -1; one that
 * fails must not go on.
 */
int seal(const struct sandbox *sandbox, const struct facts *facts, const struct grants *grants,
	 struct failure *failure);

#endif
