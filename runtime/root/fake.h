/* For a root that is the only user: system calls that change owners and users succeed and do nothing. */
#ifndef ROOT_FAKE_H
#define ROOT_FAKE_H

/*
 * Installs the filter, for this process and all that it starts. Nothing is traced and nothing waits.
 * Returns 0, or -1 and errno.
 */
int fake_root(void);

#endif
