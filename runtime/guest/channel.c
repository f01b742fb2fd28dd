#include "guest/channel.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

void channel_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool channel_has(const struct channel *channel)
{
	return channel->sent < channel->used;
}

bool channel_fill(struct channel *channel, uint64_t most)
{
	size_t room = most < CHANNEL_BYTES ? (size_t)most : CHANNEL_BYTES;
	ssize_t n = read(channel->from, channel->bytes, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) /* EIO of a terminal that nobody has open */
		return false;
	channel->used = (size_t)n;
	channel->sent = 0;
	return true;
}

bool channel_drain(struct channel *channel)
{
	while (channel_has(channel)) {
		ssize_t n = write(channel->to, channel->bytes + channel->sent,
				  channel->used - channel->sent);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		channel->sent += (size_t)n;
		channel->count += (size_t)n;
	}
	channel->used = channel->sent = 0;
	return true;
}

void channel_stop(struct channel *channel)
{
	channel_close(&channel->from);
	channel->used = channel->sent = 0;
}

void channel_pump(struct channel *channel, short from, short to)
{
	if (channel->from >= 0 && from && !channel_has(channel) &&
	    !channel_fill(channel, CHANNEL_BYTES))
		channel_close(&channel->from);
	if (channel_has(channel) && (from || to))
		if ((to & (POLLHUP | POLLERR)) || !channel_drain(channel))
			channel_stop(channel);
}

void channel_empty(struct channel *channel)
{
	for (;;) {
		bool has = channel_has(channel);
		struct pollfd ready = { .fd = has ? channel->to : channel->from,
					.events = has ? POLLOUT : POLLIN };
		int n = poll(&ready, 1, has ? -1 : 0);
		if (n == 0 || (n < 0 && errno != EINTR) || ready.fd < 0)
			return;
		if (n > 0)
			channel_pump(channel, has ? 0 : ready.revents, has ? ready.revents : 0);
	}
}
