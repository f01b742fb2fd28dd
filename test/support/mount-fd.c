/*
 * A program that asks for a mount as a container runtime would, docs/mount.md:
 *
 *   mount-fd FUSELAGE IMAGE TYPE DIR FILE
 *
 * Prints how the image is served and what FILE in it holds; with DIR "-" the failure that was sent.
 * Ends with 0 when the server was gone after the unmount (it holds the image open), else with the
 * number of the step that failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOVE_MOUNT_FROM_EMPTY_PATH 4 /* linux/mount.h, which does not go with sys/mount.h */

static _Noreturn void ask(int socket, char **argv)
{
	char mount[4096], type[64];

	snprintf(mount, sizeof mount, "--mount-fd=%s", argv[2]);
	snprintf(type, sizeof type, "--mount-type=%s", argv[3]);
	setenv("LISTEN_FDS", "1", 1);
	/* dup2 of a descriptor onto itself would leave it close-on-exec. */
	if (socket == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(socket, 3) < 0)
		_exit(126);
	execl(argv[1], argv[1], mount, type, (char *)NULL);
	_exit(127);
}

static int receive(int socket, int32_t *error, char text[1025])
{
	struct iovec parts[] = { { error, sizeof *error }, { text, 1024 } };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = { .msg_iov = parts,
				  .msg_iovlen = 2,
				  .msg_control = &control,
				  .msg_controllen = sizeof control };
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = n >= 4 ? CMSG_FIRSTHDR(&message) : NULL;

	text[n >= 4 ? n - 4 : 0] = 0;
	if (n < 4)
		*error = ECONNRESET;
	return header && header->cmsg_type == SCM_RIGHTS ? *(int *)CMSG_DATA(header) : -1;
}

static int show(const char *dir, const char *file)
{
	char path[4096], content[4096];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "%s/%s", dir, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, content, sizeof content);
	close(fd);
	return n >= 0 && fwrite(content, 1, (size_t)n, stdout) == (size_t)n ? 0 : -1;
}

int main(int argc, char **argv)
{
	int sockets[2], life[2], status;
	int32_t error;
	char text[1025], byte;

	/* Whatever inherits the writing end keeps the reading end from its end. */
	if (argc != 6 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
	    pipe(life) < 0)
		return 1;
	pid_t child = fork();
	if (child == 0)
		ask(sockets[1], argv);
	close(sockets[1]);
	close(life[1]);
	int mount = receive(sockets[0], &error, text);
	waitpid(child, &status, 0);
	/* What is detached has let go of everything that it inherited. */
	if (read(life[0], &byte, 1) != 0)
		return 2;
	printf("%d %s\n", error, text);
	if (error)
		return mount < 0 && WEXITSTATUS(status) == 125 ? 0 : 3;
	if (status || mount < 0)
		return 3;
	if (syscall(SYS_move_mount, mount, "", AT_FDCWD, argv[4], MOVE_MOUNT_FROM_EMPTY_PATH) < 0)
		return 4;
	close(mount);
	if (show(argv[4], argv[5]) < 0)
		return 5;
	return umount2(argv[4], 0) < 0 ? 6 : 0;
}
