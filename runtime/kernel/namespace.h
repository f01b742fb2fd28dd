/* The private mount namespace of a start. */
#ifndef NAMESPACE_H
#define NAMESPACE_H

#include <stdbool.h>

#include "base/fail.h"
#include "kernel/identity.h"

/* What this process may do: from its capabilities, not from its uid. */
enum namespace_kind namespace_kind(const struct caller *caller);
/* Whether this process has it, where it is: CAP_* of linux/capability.h. */
bool namespace_has_capability(int capability);
/* True when CAP_SYS_ADMIN holds in the initial user namespace, as loop devices demand. */
bool namespace_is_initial(const struct caller *caller);

/*
 * Whether a start would live through making its namespace and mounts in it: a filter of system calls
 * may kill for that. Where one is in force another process tries. Returns 0, or -1 when it was killed;
 * what only refuses is left to namespace_enter, which says why.
 */
int namespace_probe(const struct identity *identity, struct failure *failure);

/*
 * Leaves the host's mount namespace. Mounts that the host makes later still arrive (slave
 * propagation), none of ours go out. After failure the process must not go on as if nothing had
 * happened: part of it may have been done. Where it has to leave the current directory for others,
 * *cwd is that; else it stays as it is.
 * `joined`: this process is in a user namespace of another start already.
 */
int namespace_enter(const struct identity *identity, bool joined, int *cwd,
		    struct failure *failure);

/*
 * Inside of that: a user namespace and a mount namespace for this process alone, in which the caller
 * is called `uid` and `gid`, and nobody else has a name.
 */
int namespace_nest(uid_t uid, gid_t gid, struct failure *failure);

#endif
