/* A start whose root directory is the image, in a sandbox: what of the machine its rules let in. */
#ifndef ROOT_FENCED_H
#define ROOT_FENCED_H

#include "root/root_start.h"
#include "root/sources.h"

/* Rules are of the machine's paths, and some of these are the image's own. Returns -1 for one of them. */
int fenced_check(const struct sandbox *sandbox, struct failure *failure);

/* Which paths the rules come to here, before anything is added. Returns how many there are, or -1. */
int fenced_collect(const struct root_start *root, const char *name, struct failure *failure);

/* Adds what they allow, at its own paths. */
int fenced_add(struct sources *sources, const struct root_start *root, struct failure *failure);

/*
 * A volume of the machine's `host`. One that the bundle has recorded is what its rules make of it, perhaps nothing:
 * then `place` is left out. One of the user's is the user's word, but not against another that denies it.
 */
int fenced_volume(struct place *place, const struct root_start *root, const char *host,
		  bool recorded, struct failure *failure);

#endif
