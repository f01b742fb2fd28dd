#include "guest/wait.h"

#include <time.h>

#include "guest/machine.h"

#define WAIT_MOST 10000 /* ms */

bool wait_until(bool (*is_there)(void *context), void *context)
{
	const struct timespec pause_for = { .tv_nsec = 1000000 };
	unsigned long end = machine_uptime() + WAIT_MOST;

	while (!is_there(context)) {
		if (machine_uptime() >= end)
			return false;
		nanosleep(&pause_for, NULL);
	}
	return true;
}
