/* Texts that tell of options. */
#ifndef HELP_H
#define HELP_H

#include "generated/help.h"

/* One of the texts, valid until the next call; "" when there is no memory to unpack it. */
const char *help_text(enum help which);

/* --bundle-run --help, in the runner alone. */
const char *help_run(void);

#endif
