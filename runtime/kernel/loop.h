/* Loop devices: a window of a file as a read-only block device. */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#include "base/fail.h"

#define LOOP_PATH_MAX 32
#define LOOP_LABEL "fuselage" /* how devices of ours are told from others' */

/*
 * Attaches a free device to [offset, offset + size) of `file`, read-only and autoclear: it is
 * detached when its last user is gone, which is the returned descriptor until it is mounted.
 * `path` takes the device's path (LOOP_PATH_MAX bytes). Returns the descriptor or -1.
 */
int loop_attach(int file, uint64_t offset, uint64_t size, char *path, struct failure *failure);

#endif
