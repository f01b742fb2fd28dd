/* A process that must not hold the mounts of others, nor the namespace that they are in. */
#ifndef EMPTY_NAMESPACE_H
#define EMPTY_NAMESPACE_H

/*
 * Moves this process into a mount namespace of its own whose root is an empty, read-only tmpfs.
 * Whoever serves a mount from the namespace that it is in would keep that namespace, and with it
 * the mount, and so itself, for ever; and file systems that others unmount would stay busy. A
 * process that may not do it stays where it is. Needs /proc.
 */
void empty_namespace_enter(void);

#endif
