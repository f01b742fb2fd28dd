/*
 * A sandbox around a start whose root directory is its image (runtime/root). Nothing of the machine is there but what
 * that start puts into it, so rules are of what is put: no directory has to be hidden, and the image is the app's own.
 */
#ifndef SANDBOX_INSIDE_H
#define SANDBOX_INSIDE_H

#include "sandbox/grants.h"
#include "sandbox/seal.h"

/* The bus knows who speaks by the user's number, which is another one inside. */
#define INSIDE_NO_BUS "with the image as root directory the session's bus is out of reach"

struct inside {
	struct facts facts;
	struct grants grants; /* what rules allow of the machine */
	const char *name; /* of the app, for app-data; or NULL: there is none */
};

/* netns and ipcns, by root of the namespace that the app will be in. `pid` is the start's own. */
int inside_enter_namespaces(struct inside *inside, const struct sandbox *sandbox,
			    struct failure *failure);

/* While the machine's files are there. Parents come before what is in them. */
int inside_collect(struct inside *inside, const struct sandbox *sandbox, struct failure *failure);

/* Whose word denies something of `real`, a path of the machine's without links, or what is around it; or NULL. */
const char *inside_denied_by(const struct inside *inside, const struct sandbox *sandbox,
			     const char *real);

/* When the image is the root directory, everything is in it, and variables are set: the last step before exec. */
int inside_seal(struct inside *inside, const struct sandbox *sandbox, struct failure *failure);

#endif
