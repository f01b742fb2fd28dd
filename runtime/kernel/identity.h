/* Who a start is: to the host, and in its own namespace. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <sys/types.h>

#include "flavour/flavour.h"
#include "kernel/id_maps.h"
#include "kernel/privileges.h"

enum namespace_kind {
	NAMESPACE_PRIVILEGED, /* CAP_SYS_ADMIN where we are: a mount namespace is enough */
	NAMESPACE_USER, /* a user namespace that maps only the caller */
	NAMESPACE_NONE, /* both refused: mounts by fusermount3, seen by the host */
};

struct identity {
	struct caller caller; /* to the host */
	enum namespace_kind kind;
	/* How the caller is called inside the namespace: as outside, or 0 with --map-root-user. */
	uid_t uid;
	gid_t gid;
	const struct id_maps
		*maps; /* of a user namespace that has others too; NULL: the caller alone */
};

/* Whether the user namespace has others than the caller, who may own files then. */
static inline bool identity_has_range(const struct identity *identity)
{
	return flavour_is_runner && identity->maps;
}

#endif
