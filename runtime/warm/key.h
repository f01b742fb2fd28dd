/* Which starts may share a mount: the name at which they meet. */
#ifndef WARM_KEY_H
#define WARM_KEY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct start;
struct archive;

struct share_address {
	struct sockaddr_un socket;
	socklen_t size;
};

/* What changes with every change of the file, for memcmp. */
bool share_file_state(int file, struct stat *state);
/* True when both descriptors are of one directory. */
bool share_same_directory(int a, int b);

/*
 * The address is a digest of
 * - the image: file, place in it, time and size of the last change;
 * - how it is shown: user and group outside and inside, type of mount, size of the cache;
 * - what would end the server, or hold it back, without touching the other start: the user, PID and
 *   control group that it lives in, and its priority;
 * - ~/.fuselage, which the two show to each other.
 *
 * Returns false when the image is nothing to share (no plain file on disk, changed a moment ago, so
 * that one more change might not show in its time) or the system does not tell one of these.
 */
bool share_address(const struct start *start, const struct archive *archive,
		   struct share_address *address);

#endif
