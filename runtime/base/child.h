/*
 * Processes of our own, started and collected in one way.
 *
 * The process that starts them is the caller's and becomes the app, and neither may notice them. So
 * they are made without an exit signal: their end is no SIGCHLD, which would stay pending for an app
 * that blocks it, and they can be collected where SIGCHLD is ignored. Nobody's wait meets them but
 * one by their number with __WALL: ours takes no child of the caller's, and the caller's none of ours.
 *
 * Exec makes an ordinary child of a process. One that is to execute another program is started by a
 * process of ours that stays what it is, with signals as programs expect them (base/inherited.h).
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs `run` in a copy of this process, which ends with what it returns; its threads have to end
 * before. Returns its number, or -1 and errno.
 */
pid_t child_start(int (*run)(void *context), void *context);

/* Waits for its end. Returns its exit status, 128 + the signal that ended it, or -1: no child. */
int child_collect(pid_t child);

/* Both. */
int child_run(int (*run)(void *context), void *context);

/* The same for one that does nothing but execute a program: until it has, this process waits and lends its memory. */
int child_execute(int (*run)(void *context), void *context);

/*
 * Whether process 1, as it is seen from here, is that of the machine, who waits for nobody in
 * particular. Anybody else who adopts a process may wait for all that it has: process 1 of a
 * container, a supervisor.
 */
bool child_is_of_machine(void);

/* Whether this process gets back what is nobody's child: as process 1, or because it wants to. */
bool child_adopts(void);

/*
 * Runs `run` in a process that is nobody's child, so that it can outlive this one and the app finds
 * it nowhere. Where it would come back to this process as an ordinary child, it stays one that no
 * wait of the app's meets. Returns 0, or -1 and errno.
 */
int child_leave(int (*run)(void *context), void *context);

#endif
