#include "library/answer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "library/fuselage-mount.h"

/* One descriptor. More than one is for nobody, and closed by the kernel: there is no room for it. */
union control {
	struct cmsghdr header;
	char space[CMSG_LEN(sizeof(int))];
};

static int take_descriptor(struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

int answer_receive(int socket, struct answer *answer)
{
	struct iovec parts[] = {
		{ &answer->error, sizeof answer->error },
		{ answer->text, HANDOVER_TEXT_MAX },
	};
	union control control = { 0 };
	struct msghdr message = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof control.space,
	};
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	answer->mount = n < 0 ? -1 : take_descriptor(&message);
	if (n >= (ssize_t)sizeof answer->error && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	    answer->error >= 0) {
		answer->text[n - (ssize_t)sizeof answer->error] = 0;
		return 0;
	}
	if (answer->mount >= 0)
		close(answer->mount);
	if (n >= 0)
		errno = n ? EPROTO : ECONNRESET;
	return -1;
}

int fuselage_mount_receive(int socket)
{
	struct answer answer;

	if (answer_receive(socket, &answer) < 0)
		return -1;
	if (!answer.error && answer.mount >= 0)
		return answer.mount;
	if (answer.mount >= 0)
		close(answer.mount);
	errno = answer.error ? answer.error : EPROTO;
	return -1;
}

int fuselage_mount_send(int socket, int mount)
{
	const int32_t error = 0;

	if (mount < 0) {
		errno = EBADF;
		return -1;
	}
	return send_message(socket, &error, sizeof error, mount);
}
