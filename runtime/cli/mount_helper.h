/*
 * `mount -t fuselage`, a line of /etc/fstab or a .mount unit: mount(8) starts a program by the name of
 * mount.TYPE, with arguments of its own (mount(8), "External helpers").
 */
#ifndef CLI_MOUNT_HELPER_H
#define CLI_MOUNT_HELPER_H

#include <stdbool.h>

#include "base/fail.h"

/* Whether the program was started by that name. */
bool mount_helper_is_called(const char *argv0);

/*
 * From SPEC DIR [-sfnv] [-o OPTIONS] [-t TYPE] to arguments of the runner, which must not be freed. `fake` says
 * that nothing is to be done. Returns NULL when that fails.
 */
char **mount_helper_arguments(char **args, bool *fake, struct failure *failure);

#endif
