/* How long something takes. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/* By the monotonic clock, from some time that is the same for every call. */
double clock_milliseconds(void);

#endif
