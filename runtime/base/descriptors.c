#include "base/descriptors.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

int send_descriptors(int socket, const void *data, size_t size, const int *fds, int count)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	union control control = { 0 };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t bytes = (size_t)count * sizeof *fds;

	if (count > 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = (socklen_t)CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.header), fds, bytes);
		message.msg_control = &control;
		message.msg_controllen = (socklen_t)CMSG_SPACE(bytes);
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

int send_message(int socket, const void *data, size_t size, int fd)
{
	return send_descriptors(socket, data, size, &fd, fd >= 0);
}

int receive_descriptors(int socket, int *fds, int most, char *byte)
{
	struct iovec data = { .iov_base = byte, .iov_len = 1 };
	union control control = { 0 };
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		/* Not CMSG_SPACE, in which there may be room for one more. */
		.msg_controllen = (socklen_t)CMSG_LEN((size_t)most * sizeof *fds),
	};
	ssize_t n;

	do
		n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return -1;
	int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds);
	memcpy(fds, CMSG_DATA(header), (size_t)count * sizeof *fds);
	/* Nor is one that had more than there is room for, of either. */
	return n == 1 && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ? count : -1;
}

int send_descriptor(int socket, int fd)
{
	return send_message(socket, "", 1, fd);
}

int receive_descriptor(int socket)
{
	char byte;
	int fd = -1;

	if (receive_descriptors(socket, &fd, 1, &byte) == 1)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

void descriptor_link(char *link, size_t size, int fd, const char *name)
{
	snprintf(link, size, "/proc/self/fd/%d%s%s", fd, name ? "/" : "", name ? name : "");
}

int descriptor_path(int fd, char *path, size_t size)
{
	char link[32];

	descriptor_link(link, sizeof link, fd, NULL);
	ssize_t n = readlink(link, path, size - 1);
	path[n > 0 ? n : 0] = 0;
	return n > 0 ? 0 : -1;
}

void close_from(int first)
{
	struct rlimit limit = { .rlim_cur = 65536 };

	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	getrlimit(RLIMIT_NOFILE, &limit); /* Linux before 5.9 */
	for (rlim_t fd = (rlim_t)first; fd < limit.rlim_cur && fd < 65536; fd++)
		close((int)fd);
}
