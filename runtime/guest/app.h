/* The app as a child of process 1. */
#ifndef GUEST_APP_H
#define GUEST_APP_H

#include <sys/types.h>

#include "guest/guest.h"

struct app {
	pid_t pid;
	int in; /* what it reads is written here; the terminal's other end; -1 with the console */
	int out, err; /* and what it writes is read here; the terminal has `out` alone */
	bool has_terminal;
};

/* Mounts the image and starts the recorded invocation. Returns when the app runs. */
int app_start(struct app *app, struct guest *guest, struct failure *failure);

#endif
