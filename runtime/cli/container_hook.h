/*
 * `--mount=FILE --container DIR`, as a createRuntime hook of a container: the mount is made where the runtime is, and
 * goes to DIR in the mount namespace of the container, whose own root is not yet the root there.
 */
#ifndef CLI_CONTAINER_HOOK_H
#define CLI_CONTAINER_HOOK_H

#include "base/fail.h"
#include "start/start.h"

/*
 * Finds the container that standard input describes: the state of the OCI runtime specification, with its pid. Its
 * mount namespace gets FILE, at DIR.
 */
int container_hook_run(struct start *start, struct archive *archive, struct failure *failure);

#endif
