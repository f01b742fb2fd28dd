/*
 * Who serves. One thread at a time waits for requests; the others sleep where the kernel does not
 * see them, so that it wakes nobody in vain. Whoever waits also answers, and goes on waiting: but
 * before it decompresses anything it passes its turn on.
 */
#ifndef FUSE_THREADS_H
#define FUSE_THREADS_H

#include "fuse/session.h"

/* NULL: no memory */
struct fuse_worker *fuse_worker_new(struct fuse_server *server);

/* Answers requests until there are no more. Returns the errno that ended it: ENODEV, unmounted. */
int fuse_work(struct fuse_worker *worker);

/* Starts a thread that nobody waits for. */
bool fuse_start_thread(void *(*run)(void *), void *argument);

/* Returns when it is this thread's turn to wait for requests. */
void fuse_take_turn(struct fuse_worker *worker);

/* Called for every request until there is more than one thread; decides when that is. */
void fuse_weigh(struct fuse_server *server, const struct fuse_request *request);

#endif
