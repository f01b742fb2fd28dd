/* What rules allow below private directories, or to be changed: copied before these are made, and put back then. */
#ifndef SANDBOX_KEPT_H
#define SANDBOX_KEPT_H

#include "sandbox/masks.h"

struct kept {
	const char *path;
	int tree; /* a copy of what is mounted there */
	size_t hidden; /* masks_hide of the path */
	int place; /* where nothing hides it: what was copied, to be covered; else -1 */
	bool inner; /* in another one, which is read-only and shows it when it is put back */
	bool directory; /* of what is hidden */
};

struct kept_list {
	struct kept *list;
	size_t count;
	bool all_writable; /* a rule opens the machine as a whole: nothing of it is read-only */
};

/* Copies all of it. Descriptors are open until exec. */
int kept_copy(struct kept_list *kept, const struct masks *masks, const struct grants *grants,
	      struct failure *failure);

/* The same in a new mount namespace, which what is open does not lead into. */
int kept_copy_again(struct kept_list *kept, const struct masks *masks, struct grants *grants,
		    struct failure *failure);

/* Puts one to where it was, `all` those that something hides, or those that nothing does. */
int kept_put_back(const struct kept *kept, struct failure *failure);
int kept_put_back_all(const struct kept_list *kept, bool hidden, struct failure *failure);

#endif
