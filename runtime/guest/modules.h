/* Modules of the kernel that came along in the initramfs. */
#ifndef GUEST_MODULES_H
#define GUEST_MODULES_H

#include "base/fail.h"

/* Loads them in their order and removes each, so that its memory is free again. */
int modules_load(struct failure *failure);

#endif
