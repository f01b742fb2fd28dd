/* The ways to the host: bytes of the app's, and lines of ours. */
#ifndef GUEST_STREAMS_H
#define GUEST_STREAMS_H

#include <stddef.h>

#include "base/fail.h"
#include "generated/guest.h"
#include "guest/run_file.h"

#define STREAM_ENUM(name, port) STREAM_##name,
enum stream {
	GUEST_STREAMS(STREAM_ENUM) STREAM_COUNT
};
#undef STREAM_ENUM

struct streams {
	int fds[STREAM_COUNT]; /* not blocking; -1 with the console in their place */
};

/* Finds and opens them. */
int streams_open(struct streams *streams, enum guest_transport transport, struct failure *failure);

/*
 * Writes all of it, as fast as the host takes it. A port that is written to in blocking mode would keep
 * the processor until then (drivers/char/virtio_console.c).
 */
void stream_write(int fd, const char *bytes, size_t size);

/* Tells the host a line; without streams the console, what is worth reading there. */
__attribute__((format(printf, 3, 4))) void report(const struct streams *streams, char letter,
						  const char *format, ...);
void report_failure(const struct streams *streams, const struct failure *failure);

#endif
