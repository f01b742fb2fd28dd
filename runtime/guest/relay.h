/* Process 1 while the app runs. */
#ifndef GUEST_RELAY_H
#define GUEST_RELAY_H

#include "guest/app.h"

/*
 * Carries bytes between the app and the host, does what the host's lines say, and collects whatever
 * becomes a child of process 1. Returns the app's status as wait(2) has it when all that it wrote is on its
 * way, or -1 when there is no host any more.
 */
int relay(struct app *app, const struct streams *streams);

/* Waits for the host to go. */
void relay_wait(const struct streams *streams);

#endif
