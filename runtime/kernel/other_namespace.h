/* The mount namespace of another process, such as one of a container that is being made. */
#ifndef OTHER_NAMESPACE_H
#define OTHER_NAMESPACE_H

/*
 * Attaches a detached mount at `dir`, absolute, in the mount namespace of a pidfd or of /proc/PID/ns/mnt, open. A
 * process of its own enters that: as whoever owns it, where this process as it is may not. Returns -1 and errno.
 */
int other_namespace_attach(int namespace_fd, int mount, const char *dir);

#endif
