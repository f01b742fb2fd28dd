/*
 * Starts of the same image by the same user share one mount, and so its pages.
 *
 * The first start leaves a holder behind (holder.h): a process that holds one copy of the image's
 * mount, and nothing else of that start. A later one finds it at an abstract socket, whose name is
 * a digest of all that the two must have in common (rendezvous.h), joins its user namespace, takes the
 * host's mounts as every start does, and puts a copy of the kept mount among them. A mount on the host
 * is used where it is.
 *
 * Both sides know from the kernel that the other one may write to this user's ~/.fuselage
 * (proof.h): a program that may not (a sandbox with the host's network) can neither give a mount
 * nor take one. A holder sends its mount, a start its own mount namespace, which nobody receives: it lies in the
 * socket until the start has ended, so that it is the holder who takes it apart.
 */
#ifndef SHARE_SHARE_H
#define SHARE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "share/proof.h"

struct identity;
struct archive;
struct failure;

/* Where the starts of one image meet. */
struct share_address {
	struct sockaddr_un socket;
	socklen_t size;
	unsigned char mark[PROOF_NAME]; /* of it: what the holder's lock is for */
};

/* What a start has of it. Every descriptor is -1 when there is none. */
struct share {
	unsigned linger; /* seconds that a mount is kept after its last start has ended; 0: never */
	struct share_address address;
	/* Who this start is. Both last until exec, which ends the first one first, as it must be. */
	int lock; /* the file of the locks */
	int socket; /* that the lock is for */
	int listener; /* of the rendezvous: this start is the first */
	int mount; /* a copy of the mount that was found, not attached yet */
	bool joined; /* this process is in the user namespace of that mount */
	const char *strategy; /* by which it was made */
};

/* What has to be the same for all that share a mount, besides what the kernel knows of them. */
struct share_terms {
	const char *home; /* ~/.fuselage or what stands in for it */
	const char *mount_type; /* that is wanted */
	size_t cache_bytes; /* of a FUSE server */
};

/*
 * Whether this start may leave a process behind. A service manager waits for what a service leaves,
 * and so does whoever waits for the end of a container: what their first process starts is theirs.
 */
bool share_may_leave(void);

/* Reads FUSELAGE_LINGER; nothing is shared so far. */
int share_parse(struct share *share, struct failure *failure);

/*
 * Before the namespace is entered: takes a mount of `archive` that is kept, or makes this start the
 * first. Does neither where it is not wanted or not safe. Afterwards *share tells.
 */
void share_find(struct share *share, const struct identity *identity,
		const struct share_terms *terms, const struct archive *archive);

/* What a holder says when the server of running apps has been killed. */
#define SHARE_LOST 'x'

/* What the holder of this archive's mount says; 0: there is none. For the doctor. */
char share_ask(struct share *share, const struct identity *identity,
	       const struct share_terms *terms, const struct archive *archive);

/*
 * In the namespace that was entered: leaves its end to the holder of the mount that was found. To take mounts apart
 * makes the last process that has them wait for all processors, and the app's caller with it.
 */
void share_leave_end(const struct share *share);

/* Attaches the mount that was found. Returns 0, or -1 and errno. */
int share_attach(struct share *share, const struct identity *identity, const char *target);

/*
 * On the host, where it is mounted already: writes its path, which is checked, into `path` (PATH_MAX
 * bytes). Returns its root, which keeps the mount for as long as it is open, or -1.
 */
int share_find_path(struct share *share, char *path);

/* No start is to wait for this one any more. */
void share_close(struct share *share);

#endif
