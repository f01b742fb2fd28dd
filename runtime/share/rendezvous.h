/* Which starts may share a mount: the name at which they meet. */
#ifndef SHARE_RENDEZVOUS_H
#define SHARE_RENDEZVOUS_H

#include <stdbool.h>

struct archive;
struct identity;
struct share;
struct share_terms;

/*
 * Finds share->address, a digest of
 * - the image: file, place in it, time and size of the last change;
 * - how it is shown: user and group outside and inside, type of mount, size of the cache, on the host
 *   the name of the archive;
 * - where they live: user, mount, PID and network namespace. Whoever is in another one (a sandbox, a
 *   container) may see other files, or have other rights, under the same names and numbers;
 * - what would end the server, or hold it back, without touching the other start: the control group
 *   that it lives in, and its priority;
 * - the file of their locks.
 *
 * Returns false when the image is nothing to share (no plain file on disk, changed a moment ago, so
 * that one more change might not show in its time) or the system does not tell one of these.
 */
bool share_address(struct share *share, const struct identity *identity,
		   const struct share_terms *terms, const struct archive *archive);

#endif
