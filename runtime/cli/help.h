/* Texts that tell of options. */
#ifndef HELP_H
#define HELP_H

#include "base/fail.h"
#include "generated/help.h"

/* One of the texts, valid until the next call; "" when there is no memory to unpack it. */
const char *help_text(enum help which);

/*
 * Refuses an option that begins with `prefix`, as all of the text do, and that `whose` does not know: with the one that
 * may have been meant. Returns -1.
 */
int help_refuse(enum help which, const char *prefix, const char *option, enum fuselage_code code,
		const char *whose, struct failure *failure);

/* --bundle-run --help, in the runner alone. */
const char *help_run(void);

#endif
