/*
 * --pid: this process stays what its caller started, process 1 of a new process namespace does the rest
 * of the start, and the app is a child of that, as it would be of any init.
 */
#ifndef PROCESS_INIT_H
#define PROCESS_INIT_H

#include "base/fail.h"
#include "base/inherited.h"

/*
 * Goes on in process 1. The caller's process waits, passes signals on and ends as the app ends: it does
 * not return from here.
 */
int init_begin(struct failure *failure);

/* The same where the app is to be process 1 itself: init_become in place of init_fork. */
int init_begin_as_app(struct failure *failure);

/* Last before the app is executed, in process 1, which that becomes. */
void init_become(void);

/*
 * Goes on in the app; process 1 collects what ends and passes signals on. To be called in process 1.
 * `caller` is what the app gets back of signals.
 */
int init_fork(struct failure *failure);

#endif
