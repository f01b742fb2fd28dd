/*
 * A program that uses the library fuselage-mount, one way for each first argument:
 *
 *   serve IMAGE DIR FILE        mounts /dev/fuse by itself and has it served, from an open file
 *   hand IMAGE FILE             sends a mount to another process, which reads FILE in it
 *   refuse IMAGE TYPE OPTIONS   prints the errno and the words; "" is the default of both
 *   program IMAGE FILE RUNNER   executes RUNNER in place of the one in the library
 *   quiet IMAGE FILE            afterwards there was no SIGCHLD, and is no child and no descriptor
 *
 * Prints what FILE holds. Ends with 0, or the number of the step that failed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <fuselage-mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int show(int dir, const char *file)
{
	char content[4096];
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, content, sizeof content);

	close(fd);
	return n >= 0 && fwrite(content, 1, (size_t)n, stdout) == (size_t)n ? fflush(stdout) : -1;
}

static void say(void *context, int error, const char *text)
{
	*(int *)context = error;
	printf("%s\n", text);
}

static int serve(char **argv)
{
	char options[128];
	int image_fd = open(argv[0], O_RDONLY | O_CLOEXEC);
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	struct fuselage_image *image = fuselage_image_from(image_fd, "by descriptor");

	close(image_fd);
	snprintf(options, sizeof options,
		 "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other,default_permissions,"
		 "max_read=1048576",
		 device, geteuid(), getegid());
	if (!image || mount("test", argv[1], "fuse", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0)
		return 2;
	if (fuselage_mount_serve(image, device, NULL) < 0)
		return 3;
	fuselage_image_close(image);
	close(device);
	int dir = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || show(dir, argv[2]) < 0)
		return 4;
	close(dir);
	return umount2(argv[1], 0) < 0 ? 5 : 0;
}

static int hand(char **argv)
{
	int sockets[2], status;
	struct fuselage_image *image = fuselage_image_open(argv[0]);
	int mount = image ? fuselage_mount_detached(image, NULL, NULL) : -1;

	fuselage_image_close(image);
	if (mount < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return 2;
	pid_t child = fork();
	if (child == 0) {
		close(mount);
		close(sockets[0]);
		int received = fuselage_mount_receive(sockets[1]);
		if (received < 0)
			_exit(3);
		if (show(received, argv[1]) < 0)
			_exit(4);
		/* And then there is nobody. */
		_exit(fuselage_mount_receive(sockets[1]) < 0 && errno == ECONNRESET ? 0 : 5);
	}
	close(sockets[1]);
	if (fuselage_mount_send(sockets[0], mount) < 0)
		return 6;
	close(mount);
	close(sockets[0]);
	return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 7;
}

static int refuse(char **argv)
{
	int told = 0;
	struct fuselage_image *image = fuselage_image_open(argv[0]);

	if (!image) {
		printf("%d\n", errno);
		return 0;
	}
	fuselage_image_listen(image, say, &told);
	int mount = fuselage_mount_detached(image, *argv[1] ? argv[1] : NULL, argv[2]);
	int error = errno;
	printf("%d\n", error);
	fuselage_image_close(image);
	return mount >= 0 || (told && told != error) ? 2 : 0;
}

static int run_program(char **argv)
{
	struct fuselage_image *image = fuselage_image_open(argv[0]);

	if (!image)
		return 2;
	fuselage_image_use_program(image, argv[2]);
	int mount = fuselage_mount_detached(image, NULL, NULL);
	if (mount < 0)
		printf("%d\n", errno);
	fuselage_image_close(image);
	return mount < 0 || show(mount, argv[1]) == 0 ? 0 : 3;
}

static volatile sig_atomic_t children;

static void count(int number)
{
	children += number == SIGCHLD;
}

static int quiet(char **argv)
{
	int lowest = dup(STDERR_FILENO);

	close(lowest);
	signal(SIGCHLD, count);
	struct fuselage_image *image = fuselage_image_open(argv[0]);
	int mount = image ? fuselage_mount_detached(image, NULL, NULL) : -1;
	if (mount < 0 || show(mount, argv[1]) < 0)
		return 2;
	close(mount);
	fuselage_image_close(image);
	if (dup(STDERR_FILENO) != lowest)
		return 5;
	if (children || waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
		return 3;
	return waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD ? 4 : 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **argv);
		int count;
	} ways[] = { { "serve", serve, 3 },
		     { "hand", hand, 2 },
		     { "refuse", refuse, 3 },
		     { "program", run_program, 3 },
		     { "quiet", quiet, 2 } };

	for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].name, argv[1]) == 0 && argc == 2 + ways[i].count)
			return ways[i].run(argv + 2);
	return 1;
}
