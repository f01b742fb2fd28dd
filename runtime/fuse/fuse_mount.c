#include "fuse/fuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "process/empty_namespace.h"
#include "process/sandbox.h"
#include "fuse/threads.h"
#include "cache/starts.h"
#include "generated/names.h"

/* The only descriptors that a server starts with. */
#define SERVER_SOCKET 0
#define SERVER_IMAGE 1
#define SERVER_OUTPUT 2 /* where there is one */
#define SERVER_DESCRIPTORS 4 /* besides it */

/* Blocks of 1 MiB, decoders and stacks, bytes: of a few threads, and of each that is asked for. */
#define MEMORY_OF_READERS (8u << 20)
#define MEMORY_OF_THREAD (3u << 20)

/*
 * The last thing that needs the starter, and the first after which a request can make the server
 * look into the image: between the two it locks itself in, while the starter goes on.
 */
static void tell_ready(struct fuse_server *server, int error)
{
	/* A starter that died takes its namespace along; the device will say so. One that cannot be told would
	 * wait for ever. The socket stays open: its end tells whoever has the other that the server has ended. */
	if (send(server->ready_socket, &error, sizeof error, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		_exit(1);
	sandbox_filter();
}

/* Moves the descriptors to 0, 1 and 2, which none has (inherited.h). */
static void move_descriptors(int socket, int image, int output)
{
	if (dup2(socket, SERVER_SOCKET) < 0 || dup2(image, SERVER_IMAGE) < 0 ||
	    (output >= 0 && dup2(output, SERVER_OUTPUT) < 0))
		_exit(1);
}

/*
 * Moves the copies of files to `first` and the numbers behind it, out of each other's way first, and closes
 * all others. Of one for which there is no room (RLIMIT_NOFILE) the image is read. Returns how many are open.
 */
static unsigned take_kept(const struct fuse_kept *from, struct fuse_kept *kept, int first)
{
	int next = first;
	size_t count = 0;

	for (; from->number; from++) {
		kept[count] = *from;
		if (from->file != KEPT_BOUND)
			kept[count].file = fcntl(from->file, F_DUPFD, first + (int)KEPT_MOST);
		if (kept[count].file >= 0 || from->file == KEPT_BOUND)
			count++;
	}
	kept[count].number = 0;
	for (size_t i = 0; i < count; i++) {
		if (kept[i].file == KEPT_BOUND)
			continue;
		if (dup2(kept[i].file, next) < 0)
			_exit(1);
		kept[i].file = next++;
	}
	close_from(next);
	return (unsigned)(next - first);
}

/* The number that was asked for, or the processors that there are, up to as many as are worth it. */
static unsigned choose_threads(unsigned wanted, unsigned processors)
{
	if (wanted)
		return wanted;
	return processors < FUSE_THREADS_DEFAULT ? processors : FUSE_THREADS_DEFAULT;
}

static unsigned count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/*
 * Whether there can be as much as it may take: readers, and a cache whose blocks get memory when
 * they are first used. Where a limit leaves less (ulimit -v), reads of the app would fail later.
 */
static bool has_memory(size_t cache, size_t threads)
{
	size_t size = cache + cache / 4 + MEMORY_OF_READERS + threads * MEMORY_OF_THREAD;
	void *all = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return all != MAP_FAILED && munmap(all, size) == 0;
}

struct task {
	const struct identity *identity;
	const struct fuse_service *service;
	int socket;
};

/* What is noted of this start, and for how long. */
static void begin_start(struct fuse_server *server, bool output)
{
	server->settling.began = clock_milliseconds();
	atomic_store(&server->settling.done, !output && !server->list);
	reads_init(&server->reads, output ? SERVER_OUTPUT : -1,
		   server->recording ? READS_RECORDED : START_LIST_RUNS);
}

static int server_main(void *argument)
{
	const struct task *task = argument;
	const struct identity *identity = task->identity;
	const struct fuse_service *service = task->service;
	struct failure ignored = { 0 };
	struct fuse_kept kept[KEPT_MOST + 1];
	struct sqfs fs = *service->fs;
	struct fuse_worker *worker;
	struct fuse_server server = {
		.fs = &fs,
		.one_owner = service->one_owner,
		.uid = identity->uid,
		.gid = identity->gid,
		.end = PTHREAD_MUTEX_INITIALIZER,
		.recording = service->record,
		.kept = kept,
		.list = service->list,
		.list_size = service->list_size,
		.turn = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false },
		.ready = tell_ready,
		.ready_socket = SERVER_SOCKET,
	};

	prctl(PR_SET_NAME, "fuselage-fuse", 0, 0, 0);
	/* It outlives the app's own shutdown: a terminal or service manager signals the whole group,
	 * and an app without its files could not even exit. The end of the namespace ends it. */
	inherited_leave();
	privileges_raise(&identity->caller);
	if (service->host_namespace >= 0 && setns(service->host_namespace, CLONE_NEWNS) < 0)
		_exit(1);
	if (privileges_drop(&identity->caller, &ignored) < 0 || chdir("/") < 0)
		_exit(1);
	bool output = service->output >= 0;
	move_descriptors(task->socket, fs.fd, service->output);
	unsigned copies = take_kept(service->kept, kept, SERVER_OUTPUT + output);
	fs.fd = SERVER_IMAGE;
	fuse_log_open(&server.log, SERVER_IMAGE);
	if (service->host_namespace == FUSE_SERVER_EMPTY_NAMESPACE)
		empty_namespace_enter(); /* where there is no log to be opened */
	server.processors = count_processors();
	server.threads = choose_threads(service->threads, server.processors);
	/* All of this while the starter makes its namespace. */
	sandbox_drop_rights(SERVER_DESCRIPTORS + output + copies, !output ? 0 :
								  service->record ?
									    READS_FILE_MOST :
									    LEARN_FILE_MOST);
	begin_start(&server, output);
	server.cache = sqfs_cache_new(&fs, service->cache_bytes, FUSE_READERS(server.threads));
	worker = server.cache && has_memory(service->cache_bytes, service->threads) ?
			 fuse_worker_new(&server) :
			 NULL;
	if (worker && (server.list || service->entry))
		prefetch_start(&server, service, (service->cache_bytes >> fs.super.block_log) / 2);
	server.device = receive_descriptor(SERVER_SOCKET);
	if (server.device < 0)
		_exit(0); /* the starter took another way, or died */
	if (!worker) {
		tell_ready(&server, ENOMEM);
		_exit(1);
	}
	fuse_server_end(&server, fuse_work(worker));
}

int fuse_server_start(const struct identity *identity, const struct fuse_service *service,
		      struct fuse_mount *mount, struct failure *failure)
{
	int sockets[2];

	mount->socket = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "socket to the FUSE server");
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	struct task task = { identity, service, theirs };
	/* The app must not have to wait for it. */
	if (child_leave(server_main, &task) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED,
				  "FUSE server cannot be forked");
	mount->socket = steal_fd(&ours);
	return 0;
}

/* What usually keeps /dev/fuse from being opened. */
static const struct {
	int error;
	enum fuselage_cause cause;
	const char *words;
} refusals[] = {
	{ ENOENT, FUSELAGE_CAUSE_FUSE_MISSING,
	  "does not exist (the fuse module is not loaded, or this container was given no such "
	  "device)" },
	{ EACCES, FUSELAGE_CAUSE_FUSE_CLOSED,
	  "is not readable and writable for this user (mode 0666 is usual)" },
	{ EPERM, FUSELAGE_CAUSE_FUSE_POLICY, "is refused by this container's device policy" },
};

int fuse_open_device(struct failure *failure)
{
	int device = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
	int error = errno;

	if (device >= 0)
		return device;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (refusals[i].error != error)
			continue;
		fail(failure, FUSELAGE_E_MOUNT_REFUSED, FUSE_DEVICE " %s", refusals[i].words);
		failure->error = error;
		return fail_cause(failure, refusals[i].cause);
	}
	return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, FUSE_DEVICE);
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

void fuse_mount_close(struct fuse_mount *mount)
{
	if (mount->socket >= 0)
		close(mount->socket);
	mount->socket = -1;
}
