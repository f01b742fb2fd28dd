/*
 * A user namespace that maps more than its maker: by newuidmap and newgidmap, which read who may have
 * which ids in /etc/subuid and /etc/subgid. They act on a process from outside of its namespace, so one
 * of ours waits there.
 */
#ifndef KERNEL_ID_MAPS_H
#define KERNEL_ID_MAPS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/fail.h"

#define ID_MAP_LINES 3

struct id_map {
	struct {
		unsigned inside, outside, count;
	} lines[ID_MAP_LINES];
	size_t count;
};

struct id_maps {
	struct id_map uids, gids;
};

/* Who waits outside. */
struct id_mapper {
	pid_t process;
	int go; /* written to when there is a namespace to map */
};

/* Before the namespace is made. */
int id_mapper_start(struct id_mapper *mapper, const struct id_maps *maps, struct failure *failure);

/* In it: has this process mapped. */
int id_mapper_finish(struct id_mapper *mapper, struct failure *failure);

#endif
