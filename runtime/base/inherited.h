/*
 * What this process has from whoever starts it, and hands on to the app.
 *
 * The app must find all of it as it would have without us. So as little as can be is taken over,
 * and given back by the last calls before exec; everything else is left alone. Of each kind:
 *
 * Taken over
 *   umask: 022, so that directories and files are made as they are meant.
 *   SIGXFSZ: ignored and not blocked, so that a write beyond RLIMIT_FSIZE is a failure in words. A
 *     blocked one would be pending for the app; where the caller's own is, nothing is changed.
 *   The signal mask: given back as a whole, since threads open it for signals of the libc.
 *   Descriptors 0 to 2: those that are closed are taken until exec, so that nothing of ours gets
 *     such a number and is written to by mistake. Like all of ours they are close-on-exec.
 *   securebits: the kernel clears them with a user namespace.
 *
 * Left alone, because nothing of ours depends on it
 *   SIGCHLD, blocked, ignored or not: our own processes end without it (base/child.h).
 *   Other dispositions: a signal that would have ended the app ends the start, and the kernel cleans
 *     up. Where we would leave files (extraction, a mount in the foreground) such signals are
 *     caught, but none that the caller ignores or blocks: inherited_endings. SIGPIPE: what we write
 *     to is a file, the caller's stderr, or a socket with MSG_NOSIGNAL.
 *   Pending signals: nothing of ours sends this process one.
 *   Alarm and interval timers: go on across exec, with the time that is left. One that goes off
 *     meanwhile is a signal like others. Our own processes have none, since fork clears them.
 *   Resource limits: hold for the start too; where they are too low, it says so (E_LIMIT). Our own
 *     processes lower theirs (process/sandbox.h).
 *   Nice value, scheduling policy, affinity, I/O priority, timer slack, memory policy, score of the
 *     out-of-memory killer: of the app, and of what serves it. SCHED_DEADLINE forbids to fork.
 *   no_new_privs: an installed set-id bit has no effect then, and fusermount3 none.
 *   Dumpability: exec decides anew.
 *   The parent-death signal: no id changes, and a user namespace is below its maker's. For a set-id
 *     program the kernel clears it before our first line.
 *   Subreaper: nothing of ours comes back to it (child_leave).
 *   Personality: READ_IMPLIES_EXEC is cleared by the exec of any 64-bit program, and all that
 *     weakens a program by that of a set-id one, both before our first line.
 *   Keyrings: exec ends those of thread and process, that of the session stays. A user namespace
 *     has a user keyring of its own.
 *   Session, process group, terminal: processes of ours leave them. What we say to a terminal is
 *     subject to SIGTTOU, as what the app says.
 *   Working directory: setuid-root it is another one for a moment, and entered again with the
 *     rights of either (kernel/mount_point.h). Others may not be let in a second time.
 *   Huge pages, MDWE, speculation and other flags of prctl: kept or dropped by exec as for any
 *     program.
 */
#ifndef BASE_INHERITED_H
#define BASE_INHERITED_H

#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"

struct inherited {
	mode_t umask;
	uint64_t blocked; /* signals: number N is bit N - 1, as everywhere here */
	uint64_t file_size; /* disposition of SIGXFSZ */
	int securebits;
};

/* First thing of all but to lay down root. Fails where the stack is too small to go on. */
int inherited_take(struct inherited *inherited, struct failure *failure);
/* Last thing before exec. */
void inherited_give_back(const struct inherited *inherited);

/* The signals that end a program and that the caller of this one has neither blocked nor ignored. */
uint64_t inherited_endings(void);

/* sigprocmask(2). Returns what was blocked before. */
uint64_t inherited_mask(int how, uint64_t set);

/* Before another program is executed for us: every signal as a program expects it. */
void inherited_reset_signals(void);

/* For a process of ours that stays: it ends with its work, not with the app's process group. */
void inherited_leave(void);

#endif
