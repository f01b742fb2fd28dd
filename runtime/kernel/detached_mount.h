/* Mounts that are attached nowhere yet: fsopen(2) and what belongs to it, Linux 5.2. */
#ifndef DETACHED_MOUNT_H
#define DETACHED_MOUNT_H

#include "base/fail.h"

struct mount_call;

/*
 * What `call` would mount, MS_NOSUID and MS_NODEV added. Returns its descriptor (close-on-exec), or
 * -1 with the kernel's own words where it has any.
 */
int detached_mount(const struct mount_call *call, struct failure *failure);

#endif
