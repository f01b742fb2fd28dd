/* The machine itself: its file systems, clock, entropy, name and end. */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "base/fail.h"
#include "guest/run_file.h"

/* /proc, /sys, /dev and what belongs there; descriptors 0 to 2 become the console. */
int machine_mount(struct failure *failure);

/*
 * A tmpfs in place of the initramfs, with what was mounted. The kernel lets nobody leave the latter by
 * pivot_root, which images as root directories and sandboxes of apps do.
 */
int machine_leave_initramfs(struct failure *failure);

/* What the run file says of clock, entropy and name. */
int machine_configure(const struct run_file *run, struct failure *failure);

/* SECONDS.NANOSECONDS since 1970. Returns 0, or -1 and errno. */
int machine_set_clock(const char *text);

/* Adds entropy and seeds the kernel's generator again. Returns 0, or -1 and errno. */
int machine_seed(const char *digits);

/* Milliseconds since the kernel's start. */
unsigned long machine_uptime(void);

/* Never returns. */
__attribute__((noreturn)) void machine_end(enum guest_end end);

#endif
