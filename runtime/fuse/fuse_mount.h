/* A server process for one mount, whose life is the mount's. */
#ifndef FUSE_MOUNT_H
#define FUSE_MOUNT_H

#include <stdbool.h>

#include "fuse/session.h"
#include "kernel/identity.h"

/* For mount(2), with the device and who mounts. */
#define FUSE_MOUNT_OPTIONS                                         \
	"fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other," \
	"default_permissions," FUSE_MAX_READ

struct fuse_mount {
	int socket; /* to the server; -1: none */
};

/* What a server is given. */
struct fuse_service {
	const struct sqfs *fs;
	size_t cache_bytes; /* of decompressed file contents */
	unsigned
		threads; /* that answer requests; 0: one for each processor, FUSE_THREADS_DEFAULT at most */
	bool one_owner; /* every file is shown as the caller's */
	int host_namespace; /* where it lives: /proc/<pid>/ns/mnt of the host, or FUSE_SERVER_* */
	bool record; /* `output` is for its READs, when the mount ends (reads.h) */
	int output; /* file for them, or for what it learns (learn.h); -1: none */
	const struct fuse_kept *kept; /* KEPT_MOST at most, and one without a number */
	const uint8_t *list; /* start list of the image (start_list.h), or NULL */
	size_t list_size; /* bytes */
	uint32_t entry; /* inode of the program that is started, which is read first; or 0 */
	uint64_t entry_size; /* bytes */
};

/* In place of a descriptor of the host's namespace. */
#define FUSE_SERVER_STAYS (-1) /* where this process is */
#define FUSE_SERVER_EMPTY_NAMESPACE \
	(-2) /* in one of its own, with nothing in it (empty_namespace.h) */

/*
 * Forks the server of an image, detached from this process: own session, no inherited descriptor
 * but the image, signals of a group's end ignored, in setuid-root mode as the caller for ever. It
 * must not hold the namespace that it serves, or that would never end: call this before
 * namespace_enter, or give it the host's namespace to go back to.
 */
int fuse_server_start(const struct identity *identity, const struct fuse_service *service,
		      struct fuse_mount *mount, struct failure *failure);

/* Opens /dev/fuse; the failure says which of the usual reasons it is. */
int fuse_open_device(struct failure *failure);

/*
 * Hands the device, which is mounted, to the server. Returns when the server has answered the kernel's
 * INIT.
 */
int fuse_mount_serve(struct fuse_mount *mount, int device, struct failure *failure);

/* Closes the socket; a server that got no device ends. While it is open, it is at its end when the
 * server has ended. */
void fuse_mount_close(struct fuse_mount *mount);

#endif
