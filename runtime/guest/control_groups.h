/* Control groups of version 2, in a mount of our own: where the app has mounted them does not matter. */
#ifndef GUEST_CONTROL_GROUPS_H
#define GUEST_CONTROL_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

/* Returns a descriptor of the root, the same at each call, or -1 and errno. */
int control_groups_root(void);

/*
 * Makes a group at the top that nobody has been in. Returns its descriptor, or -1 and errno.
 */
int control_group_make(void);

/* Calls `act` with each group at the top. Returns -1 and an errno when that returned it, else 0. */
int control_groups_each(int (*act)(int group));

/* Whether what is in the group stands still, or nothing is. */
bool control_group_is_still(int group);

/* Files in a folder of the kernel's; what cannot be read is "". */
const char *kernel_file_read(int directory, const char *name, char *text, size_t size);
int kernel_file_write(int directory, const char *name, const char *text);

#endif
