/* The message of mount/handover.h, from its other end. */
#ifndef LIBRARY_ANSWER_H
#define LIBRARY_ANSWER_H

#include <stdint.h>

#include "mount/handover.h"

struct answer {
	int32_t error; /* 0, or an errno */
	char text[HANDOVER_TEXT_MAX + 1];
	int mount; /* the caller's, or -1 */
};

/* Returns 0 when there was a message, whatever it says, or -1 and errno. */
int answer_receive(int socket, struct answer *answer);

#endif
