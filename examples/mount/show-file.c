/*
 * Mounts an image and prints one file of it:
 *
 *   show-file IMAGE FILE [DIR [PID]]
 *
 * With DIR the mount is attached there, in the mount namespace of process PID or in this one, and
 * stays. Without it the file is read from the mount while it is attached nowhere.
 *
 *   cc show-file.c $(pkg-config --cflags --libs fuselage-mount) -o show-file
 *
 * For root, and for root of a user namespace: unshare -Urm ./show-file app.run share/greeting
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuselage-mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(void *context, int error, const char *text)
{
	(void)context;
	fprintf(stderr, "%s%s\n", error ? "" : "served by ", text);
}

static int attach(int mount, const char *dir, const char *pid)
{
	if (!pid)
		return fuselage_mount_attach(mount, AT_FDCWD, dir);
	int process = (int)syscall(SYS_pidfd_open, atoi(pid), 0);
	return process < 0 ? -1 : fuselage_mount_attach_in(mount, process, dir);
}

static int show(int mount, const char *file)
{
	char content[4096];
	ssize_t n;
	int fd = openat(mount, file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while ((n = read(fd, content, sizeof content)) > 0)
		if (fwrite(content, 1, (size_t)n, stdout) != (size_t)n)
			return -1;
	close(fd);
	return n < 0 ? -1 : fflush(stdout);
}

static int fail(const char *what)
{
	fprintf(stderr, "show-file: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 5) {
		fprintf(stderr, "usage: show-file IMAGE FILE [DIR [PID]]\n");
		return 2;
	}
	struct fuselage_image *image = fuselage_image_open(argv[1]);
	if (!image)
		return fail(argv[1]);
	fuselage_image_listen(image, say, NULL);
	int mount = fuselage_mount_detached(image, NULL, NULL);
	fuselage_image_close(image);
	if (mount < 0)
		return fail(argv[1]);
	if (show(mount, argv[2]) < 0)
		return fail(argv[2]);
	if (argc > 3 && attach(mount, argv[3], argv[4]) < 0)
		return fail(argv[3]);
	return 0;
}
