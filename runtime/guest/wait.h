/* Devices appear some time after their drivers. */
#ifndef GUEST_WAIT_H
#define GUEST_WAIT_H

#include <stdbool.h>

/* Asks every millisecond, for ten seconds at most. Returns the last answer. */
bool wait_until(bool (*is_there)(void *context), void *context);

#endif
