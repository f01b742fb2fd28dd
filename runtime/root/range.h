/* Which ids the caller may map besides its own: /etc/subuid and /etc/subgid. */
#ifndef ROOT_RANGE_H
#define ROOT_RANGE_H

#include "base/fail.h"
#include "kernel/id_maps.h"
#include "kernel/privileges.h"

/*
 * The maps of a namespace in which the caller is called `uid` and `gid`, and all others up to the
 * caller's share are who the files say. So what is the caller's outside stays the app's own inside.
 */
int range_find(struct id_maps *maps, const struct caller *caller, uid_t uid, gid_t gid,
	       struct failure *failure);

#endif
