#include "fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "fuse/alone.h"
#include "fuse/cage.h"
#include "fuse/threads.h"
#include "pinned.h"

/* The only descriptors that a server starts with. */
#define SERVER_SOCKET 0
#define SERVER_IMAGE 1
#define SERVER_DESCRIPTORS 4

/*
 * The last thing that needs the starter, and the first after which a request can make the server
 * look into the image: between the two it locks itself in, while the starter goes on.
 */
static void tell_ready(struct fuse_server *server, int error)
{
	ssize_t n = send(server->ready_socket, &error, sizeof error, MSG_NOSIGNAL);

	/* A starter that died takes its namespace along; the device will say so. The socket stays
	 * open: its end tells whoever has the other that the server has ended. */
	(void)n;
	cage_filter();
}

/* Moves the two descriptors to 0 and 1 and closes every other one. */
static void close_all_but(int socket, int image)
{
	int kept_socket = fcntl(socket, F_DUPFD, 3);
	int kept_image = fcntl(image, F_DUPFD, 3);

	if (kept_socket < 0 || kept_image < 0 || dup2(kept_socket, SERVER_SOCKET) < 0 ||
	    dup2(kept_image, SERVER_IMAGE) < 0)
		_exit(1);
	close_from(SERVER_IMAGE + 1);
}

/*
 * It outlives the app's own shutdown: a terminal or service manager signals the whole group, and an
 * app without its files could not even exit. The end of the namespace ends it.
 */
static void ignore_signals(void)
{
	static const int signals[] = { SIGHUP,	SIGINT,	 SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1,
				       SIGUSR2, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_IGN);
}

static unsigned count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

static _Noreturn void server_main(const struct start *start, const struct sqfs *image,
				  bool one_owner, int host_namespace, int socket)
{
	struct failure ignored = { 0 };
	struct sqfs fs = *image;
	struct fuse_worker *worker;
	struct fuse_server server = {
		.fs = &fs,
		.one_owner = one_owner,
		.uid = start->uid,
		.gid = start->gid,
		.turn = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false },
		.ready = tell_ready,
		.ready_socket = SERVER_SOCKET,
	};

	prctl(PR_SET_NAME, "fuselage-fuse", 0, 0, 0);
	setsid();
	ignore_signals();
	privileges_raise(&start->caller);
	if (host_namespace >= 0 && setns(host_namespace, CLONE_NEWNS) < 0)
		_exit(1);
	if (privileges_drop(&start->caller, &ignored) < 0 || chdir("/") < 0)
		_exit(1);
	close_all_but(socket, image->fd);
	fs.fd = SERVER_IMAGE;
	fuse_log_open(&server.log, SERVER_IMAGE);
	if (host_namespace == FUSE_SERVER_ALONE)
		leave_namespace(); /* where there is no log to be opened */
	server.processors = count_processors();
	/* All of this while the starter makes its namespace. */
	cage_drop_rights(SERVER_DESCRIPTORS);
	server.cache = sqfs_cache_new(&fs, start->fuse.cache_bytes, FUSE_READERS_MAX);
	worker = server.cache ? fuse_worker_new(&server) : NULL;
	server.device = receive_descriptor(SERVER_SOCKET);
	if (server.device < 0)
		_exit(0); /* the starter took another way, or died */
	if (!worker) {
		tell_ready(&server, ENOMEM);
		_exit(1);
	}
	_exit(fuse_work(worker) == ENODEV ? 0 : 1);
}

int fuse_server_start(const struct start *start, const struct sqfs *fs, bool one_owner,
		      int host_namespace, struct fuse_mount *mount, struct failure *failure)
{
	int sockets[2];
	pid_t child;
	int status;

	mount->socket = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "socket to the FUSE server");
	/*
	 * Twice, so that the server is nobody's child: the app must not have to wait for it. The
	 * process between them shares this one's memory and does nothing but fork; to copy that
	 * twice would take as long as the server's cage.
	 */
	child = vfork();
	if (child == 0) {
		child = fork();
		if (child == 0)
			server_main(start, fs, one_owner, host_namespace, sockets[1]);
		_exit(child < 0 ? errno : 0);
	}
	int error = errno;
	close(sockets[1]);
	if (child > 0) {
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		error = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	}
	if (child < 0 || error) {
		close(sockets[0]);
		errno = error;
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "FUSE server cannot be forked");
	}
	mount->socket = sockets[0];
	return 0;
}

int fuse_open_device(struct failure *failure)
{
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (device >= 0)
		return device;
	if (errno == ENOENT)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/dev/fuse does not exist (the fuse module is not loaded, or this "
			    "container was given no such device)");
	if (errno == EACCES)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/dev/fuse is not readable and writable for this user (mode 0666 is "
			    "usual)");
	if (errno == EPERM)
		return fail(failure, FUSELAGE_E_MOUNT_REFUSED,
			    "/dev/fuse is refused by this container's device policy");
	return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "/dev/fuse");
}

/* The server's word that it serves: 0, or an errno. */
static int await_ready(int socket)
{
	int error;
	ssize_t n;

	do
		n = recv(socket, &error, sizeof error, 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof error ? error : ECONNRESET;
}

int fuse_mount_serve(struct fuse_mount *fuse, int device, struct failure *failure)
{
	errno = send_descriptor(fuse->socket, device) < 0 ? errno : await_ready(fuse->socket);
	if (errno)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "FUSE server did not start");
	return 0;
}

int fuse_mount_attach(const struct start *start, struct fuse_mount *fuse, const char *target,
		      struct failure *failure)
{
	char options[128];
	struct mount_call call = { "fuselage", "fuse.fuselage", MS_RDONLY, options };
	/* Opened here: the kernel wants it from the user namespace that mounts. */
	OWNED_FD device = fuse_open_device(failure);

	if (device < 0)
		return -1;
	snprintf(options, sizeof options, FUSE_MOUNT_OPTIONS, device, (unsigned)start->uid,
		 (unsigned)start->gid);
	if (mount_pinned(start, target, &call) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "FUSE mount at %s", target);
	if (fuse_mount_serve(fuse, device, failure) < 0) {
		unmount_pinned(start, target);
		return -1;
	}
	return 0;
}

void fuse_mount_close(struct fuse_mount *mount)
{
	if (mount->socket >= 0)
		close(mount->socket);
	mount->socket = -1;
}
