/* Bytes on their way from one descriptor to another, neither of which is waited for. */
#ifndef GUEST_CHANNEL_H
#define GUEST_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_BYTES 16384 /* on their way at once */

/* Either descriptor is -1 when it is done. */
struct channel {
	int from, to;
	size_t used, sent;
	uint64_t count; /* bytes that went through */
	char bytes[CHANNEL_BYTES];
};

void channel_close(int *fd);

/* Whether some are on their way. */
bool channel_has(const struct channel *channel);

/* Reads at most so many into one that has none. Returns false at the end of what it reads. */
bool channel_fill(struct channel *channel, uint64_t most);

/* Writes what it has, as far as that is taken now. Returns false when nobody takes it any more. */
bool channel_drain(struct channel *channel);

/* Takes no more: whoever writes there gets SIGPIPE. */
void channel_stop(struct channel *channel);

/* Reads and writes as poll(2) told of its descriptors. */
void channel_pump(struct channel *channel, short from, short to);

/* Waits until all that has been written into it so far was taken, or nobody takes it any more. */
void channel_empty(struct channel *channel);

#endif
