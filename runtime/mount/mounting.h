/* How a start mounts: what was asked for, what it has for it, and what came of it. */
#ifndef MOUNTING_H
#define MOUNTING_H

#include <stdbool.h>

#include "base/fail.h"
#include "fuse/fuse_options.h"
#include "fuse/kept.h"
#include "kernel/identity.h"
#include "kernel/policy.h"
#include "share/share.h"

struct mounting {
	struct identity *identity;
	const char *home; /* ~/.fuselage or what stands in for it */
	const char *type; /* that is wanted: a strategy's name, or auto */
	struct policy policy;
	struct fuse_options fuse;
	struct share share;
	int host_namespace; /* of mounts, open from before the private one was entered, or -1 */
	int record; /* file that says in the end what was read (fuse/reads.h), or -1 */
	struct fuse_kept kept[KEPT_MOST + 1]; /* (start/keep.h), and one without a number */
	bool starts; /* an app is about to run: what its start reads is worth having */
	bool learn; /* and is kept in `home` */
	bool on_host; /* files are to be seen by others, or to stay: no namespace */
	struct failure refusal; /* why there is no namespace */
	struct failure refused; /* by the last strategy that was tried, in its own words */
	int janitor; /* without a namespace: a socket to the process that cleans up, or -1 */
	const char *strategy; /* of the last image that was mounted */
};

/* What another start must have asked for to share a mount with this one. */
static inline struct share_terms mounting_terms(const struct mounting *mounting)
{
	return (struct share_terms){ mounting->home, mounting->type, mounting->fuse.cache_bytes };
}

#endif
