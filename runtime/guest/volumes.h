/* Folders of the host's. */
#ifndef GUEST_VOLUMES_H
#define GUEST_VOLUMES_H

#include <sys/types.h>

#include "base/fail.h"
#include "guest/run_file.h"

/*
 * Mounts them at their paths, or, where the app has another root directory than this machine, at places
 * from which options of its start take them: these are added to run->words.
 */
int volumes_mount(struct run_file *run, bool by_options, struct failure *failure);

/*
 * Starts a process that ends when what was written is the host's. Only volumes are looked at: what else the app has
 * mounted ends with the machine, and may be frozen. Returns 0 when there is none.
 */
pid_t volumes_flush(void);

#endif
