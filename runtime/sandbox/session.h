/*
 * Where whoever starts has its things, by its own variables. They are read before a bundle sets any of its own: what
 * rules of the home or of a display's socket stand for is not for the author of an app to say.
 */
#ifndef SANDBOX_SESSION_H
#define SANDBOX_SESSION_H

#include <sys/types.h>

struct session {
	/* Texts of variables, or NULL; they last until exec. */
	const char *home, *runtime, *data, *config, *wayland, *cookie, *bus;
	uid_t uid;
	unsigned passed; /* descriptors from 3 on that a service manager has for this process */
};

/* Returns -1 without memory. */
int session_read(struct session *session);

#endif
