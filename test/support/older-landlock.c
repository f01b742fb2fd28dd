/*
 * Runs a command as on a kernel with an older Landlock: older-landlock VERSION COMMAND ARG... A process beside it
 * answers who asks for the version; a ruleset is made by the kernel that is there, which takes what older programs ask
 * for. VERSION 0 is a kernel without any: ENOSYS to all three calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREATE_RULESET 444
#define RESTRICT_SELF 446

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void send_listener(int socket, int listener)
{
	union control control = { { 0 } };
	struct iovec data = { "l", 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof listener);
	memcpy(CMSG_DATA(header), &listener, sizeof listener);
	sendmsg(socket, &message, 0);
}

static int receive_listener(int socket)
{
	union control control = { { 0 } };
	char byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = sizeof control.bytes };
	int listener;

	if (recvmsg(socket, &message, 0) <= 0 || !CMSG_FIRSTHDR(&message))
		_exit(1);
	memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof listener);
	return listener;
}

static void answer(int listener, int version)
{
	struct seccomp_notif request = { 0 };
	struct pollfd end = { .fd = listener, .events = POLLIN };

	while (poll(&end, 1, -1) >= 0 && !(end.revents & POLLHUP)) {
		struct seccomp_notif_resp response = { 0 };
		request = (struct seccomp_notif){ 0 };
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
			continue;
		response.id = request.id;
		if (request.data.args[2] == 1)
			response.val = version;
		else
			response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	}
}

int main(int argc, char **argv)
{
	int version = argc > 2 ? atoi(argv[1]) : -1;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, CREATE_RULESET, 0, 3),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, version ? CREATE_RULESET : RESTRICT_SELF, 2, 0),
		BPF_STMT(BPF_RET | BPF_K,
			 version ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	unsigned flags = version ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;

	int sockets[2];

	if (version < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return 2;
	/*
	 * The command keeps this process's number; the one that answers is its grandchild, made before there is a
	 * filter: it learns of the end of all who have one.
	 */
	if (version && fork() == 0) {
		if (fork() == 0) {
			setsid();
			close(sockets[0]);
			for (int fd = 0; fd < 3; fd++)
				close(fd);
			answer(receive_listener(sockets[1]), version);
		}
		_exit(0);
	}
	if (version)
		wait(NULL);
	close(sockets[1]);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0) {
		perror("older-landlock");
		return 1;
	}
	if (version) {
		send_listener(sockets[0], listener);
		close(listener);
		close(sockets[0]);
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
