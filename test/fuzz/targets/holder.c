/*
 * What comes over the socket between a start and the holder of a mount, or its server: messages
 * with any number of bytes and descriptors. An input is, for each message, how many descriptors are
 * expected, how many are sent, and how many bytes; then those bytes.
 *
 * Whatever is sent, nothing is taken that was not asked for, and no descriptor stays open.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "target.h"
#include "share/holder.h"

#define SENT_MAX 8 /* more than anybody expects */
#define UNTOUCHED (-7)

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(SENT_MAX * sizeof(int))];
};

static int null = -1;

/* The number that the next descriptor gets: it tells whether any was left open. */
static int next_descriptor(void)
{
	int fd = dup(null);

	require(fd >= 0);
	close(fd);
	return fd;
}

/* As anyone may send it; send_descriptors makes only what is right. */
static void send_any(int socket, const uint8_t *data, size_t size, unsigned count)
{
	struct iovec part = { (void *)(uintptr_t)data, size };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fds[SENT_MAX];

	for (unsigned i = 0; i < count; i++)
		fds[i] = null;
	if (count) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof *fds);
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
	}
	sendmsg(socket, &message, MSG_NOSIGNAL);
}

static void receive(int socket, int most, unsigned sent)
{
	int fds[DESCRIPTORS_MAX + 1];
	char byte = 0;

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		fds[i] = UNTOUCHED;
	int count = receive_descriptors(socket, fds, most, &byte);
	require(count >= -1 && count <= most && count <= (int)sent);
	if (count > 0) {
		const char *strategy = holder_strategy(byte);
		require(!strategy || strcmp(strategy, "loop") == 0 ||
			strcmp(strategy, "fuse") == 0 || strcmp(strategy, "fusermount") == 0);
	}
	for (int i = 0; i < DESCRIPTORS_MAX + 1; i++) {
		require(i < most || fds[i] == UNTOUCHED);
		require(i >= count || fds[i] >= 0);
		if (fds[i] < 0)
			continue;
		require(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		close(fds[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int sockets[2];

	if (null < 0)
		null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int next = next_descriptor();
	require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) ==
		0);
	while (size >= 3) {
		int most = 1 + data[0] % DESCRIPTORS_MAX;
		unsigned sent = data[1] % (SENT_MAX + 1);
		size_t length = data[2];
		data += 3;
		size -= 3;
		length = length < size ? length : size;
		send_any(sockets[0], data, length, sent);
		receive(sockets[1], most, sent);
		data += length;
		size -= length;
	}
	/* The end of the other side, as a word or before it. */
	close(sockets[0]);
	receive(sockets[1], 1, 0);
	close(sockets[1]);
	require(next_descriptor() == next);
	return 0;
}
