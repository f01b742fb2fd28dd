/* What of a sandbox is enforced here, by what, and what is not. */
#ifndef SANDBOX_FACTS_H
#define SANDBOX_FACTS_H

#include "sandbox/seal.h"

/* Something that was declared and is not enforced here. */
struct gap {
	const char *what;
	const char *why;
};

#define GAPS_MAX 12

/* Returns how many there are. */
size_t facts_gaps(const struct sandbox *sandbox, const struct facts *facts,
		  struct gap gaps[GAPS_MAX]);

/* Under `strict` the first of them ends the start. */
int facts_refuse(const struct sandbox *sandbox, const struct facts *facts, struct failure *failure);

#endif
