/* lo, and one interface with a static address. */
#ifndef GUEST_NETWORK_H
#define GUEST_NETWORK_H

#include "base/fail.h"
#include "guest/run_file.h"

/* Brings them up, and writes what programs look names up by into /etc. */
int network_configure(const struct run_file *run, struct failure *failure);

#endif
