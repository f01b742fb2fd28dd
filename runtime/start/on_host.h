/*
 * A start without a namespace: its directories and its mount are on the host.
 *
 * It is the way of an ordinary user where fusermount3 is there, and of an app that says that it needs
 * it, which is extracted where nothing else can be had. In a user namespace the app would meet a host
 * where root's files are nobody's, where set-id programs give no rights and where the user's keys are
 * missing; here it meets what it would meet unpacked.
 */
#ifndef ON_HOST_H
#define ON_HOST_H

#include "start/start.h"

#define ON_HOST_WAYS 2

/* The strategies to try like that before a namespace is made, in their order. Returns how many. */
size_t on_host_ways(const struct start *start, const char *ways[ON_HOST_WAYS]);

/* What of the archive rules it out, in words; or NULL. */
const char *on_host_obstacle(const struct start *start);

/* What such a start is to the kernel: the caller, as the host has him. */
void on_host_stand(const struct start *start, struct identity *identity);

/* Makes the directories, with somebody who cleans up. Fails for what needs a namespace. */
int on_host_begin(struct start *start, struct failure *failure);

/* Undoes it: what was mounted, and the directories. */
void on_host_undo(struct start *start);

#endif
