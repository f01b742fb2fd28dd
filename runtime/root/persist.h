/*
 * --persist DIR: what is changed stays in DIR/upper, with DIR/work beside it as overlayfs wants it. One
 * start at a time has it: DIR/lock is locked until the last process that sees it has ended. The app holds
 * no descriptor for that, which would lead out of its root; a process of ours does, and the kernel tells it
 * when the overlay is gone.
 */
#ifndef ROOT_PERSIST_H
#define ROOT_PERSIST_H

#include <stdbool.h>

#include "base/fail.h"
#include "kernel/identity.h"

#define PERSIST_UPPER "upper"
#define PERSIST_WORK "work"

struct persist {
	int directory; /* -1: nothing is kept */
	int lock;
	int watcher; /* a socket to the process that holds the lock */
	bool fresh; /* nothing has been kept so far */
};

/* Opens and locks it; makes what is missing. It has to be the caller's own, and nobody else's to write to. */
int persist_open(struct persist *persist, const char *path, const struct caller *caller,
		 struct failure *failure);

/*
 * The same directory as this mount namespace has it: the kernel takes a layer from no other one. Returns a
 * descriptor, or -1 and errno (ESTALE: something else is at its path).
 */
int persist_layers(const struct persist *persist);

/* Leaves the lock to the process that waits for the end of the overlay, whose root `merged` is. */
int persist_watch(struct persist *persist, int merged);

/* Removes what was kept, all of it: also what belongs to others of --range. */
int persist_remove(struct persist *persist, const char *path, const struct caller *caller,
		   struct failure *failure);

#endif
