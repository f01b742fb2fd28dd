/* The filter of system calls of a sandbox: scripts/spec/sandbox.json has what it answers. */
#ifndef SANDBOX_FILTER_H
#define SANDBOX_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fail.h"
#include "sandbox/rules.h"

/* Whether the kernel has filters at all. */
bool filter_is_there(void);

/*
 * What the rules switch, as bits of enum sandbox_switch. `strict`: no program from memory either. `ipcns`: there is a
 * namespace of IPC. `landlock`: its version.
 */
uint32_t filter_switches(const struct rules *rules, bool strict, bool ipcns, int landlock);

/* From here on, for this process and all that it starts. It needs no_new_privs. */
int filter_install(const struct rules *rules, uint32_t switches, struct failure *failure);

#endif
