/*
 * The session's bus, where rules let names through: xdg-dbus-proxy of the machine's, outside of the sandbox, answers at
 * a socket that is put in place of the bus, and passes on what is for these names.
 */
#ifndef SANDBOX_BUS_H
#define SANDBOX_BUS_H

#include "sandbox/seal.h"

/* Why no names are let through here where rules ask for it, or NULL. A session without a bus is no reason. */
const char *bus_obstacle(const struct sandbox *sandbox, const struct sandbox_start *start,
			 int landlock);

/*
 * Starts the proxy, which ends with this process, where rules ask for one and there is a bus. Its socket is opened
 * for grants->bus, below the first of start->scratch. A proxy that does not start is told in facts->no_bus.
 */
int bus_begin(const struct sandbox *sandbox, const struct sandbox_start *start, struct facts *facts,
	      struct grants *grants, struct failure *failure);

/* Where its socket is for the app, of PATH_MAX bytes. */
void bus_place(const struct grants *grants, char *path);

/* Tells the app by a variable, if there is one. Returns -1 without memory. */
int bus_name(const struct grants *grants);

#endif
