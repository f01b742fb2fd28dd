/*
 * A start without a namespace: its directories and its mount are on the host.
 *
 * It is the way of an ordinary user where fusermount3 is there and the app needs nothing else. In a user
 * namespace the app would meet a host where root's files are nobody's, where set-id programs give no
 * rights and where the user's keys are missing; here it meets what it would meet unpacked.
 */
#ifndef ON_HOST_H
#define ON_HOST_H

#include "start/start.h"

/* Whether to try it first. */
bool on_host_is_better(const struct start *start);

/* What such a start is to the kernel: the caller, as the host has him. */
void on_host_stand(const struct start *start, struct identity *identity);

/* Makes the directories, with somebody who cleans up. Fails for what needs a namespace. */
int on_host_begin(struct start *start, struct failure *failure);

/* Undoes it: what was mounted, and the directories. */
void on_host_undo(struct start *start);

#endif
