/* Session: read a request, negotiate or hand it on, until the kernel says that it is over. */
#include "fuse/session.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse/operations.h"
#include "fuse/threads.h"

/* 7.40 (Linux 6.10); the system's headers may be older. */
#define NO_EXPORT_SUPPORT (UINT64_C(1) << 38)

_Noreturn void fuse_server_end(struct fuse_server *server, int error)
{
	pthread_mutex_lock(&server->end);
	if (server->recording && server->reads.list)
		reads_write_recording(&server->reads);
	learn_finish(server);
	_exit(error == ENODEV ? 0 : 1);
}

int fuse_answer(struct fuse_worker *worker, const struct fuse_request *request, int error,
		const void *data, size_t size)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof header + (error ? 0 : size)),
		.error = -error,
		.unique = request->header->unique,
	};
	struct iovec parts[2] = {
		{ .iov_base = &header, .iov_len = sizeof header },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = size },
	};

	return writev(worker->server->device, parts, error || !size ? 1 : 2) < 0 ? errno : 0;
}

unsigned fuse_max_pages(unsigned page_size)
{
	return page_size < FUSE_REPLY_MAX ? FUSE_REPLY_MAX / page_size : 1;
}

/*
 * A file handle outlives what the kernel knows of its inode, which it then asks for by "." and, of
 * a directory, by "..". The way from a number to its inode is the image's export table; without
 * one there are no handles rather than some that fail later.
 */
static uint64_t wanted_of(const struct fuse_server *server)
{
	static const uint64_t always = FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS |
				       FUSE_DO_READDIRPLUS | FUSE_NO_OPEN_SUPPORT |
				       FUSE_NO_OPENDIR_SUPPORT | FUSE_CACHE_SYMLINKS |
				       FUSE_MAX_PAGES | FUSE_ASYNC_DIO | FUSE_INIT_EXT;

	return always | (server->fs->super.export_table == SQFS_NO_TABLE ? NO_EXPORT_SUPPORT :
									   FUSE_EXPORT_SUPPORT);
}

static void answer_init(struct fuse_worker *worker, const struct fuse_request *request)
{
	struct fuse_server *server = worker->server;
	const struct fuse_init_in *in = request->body;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = 4096,
		.time_gran = 1000000000,
		.max_pages = (uint16_t)fuse_max_pages((unsigned)getpagesize()),
	};

	/* 7.12 (Linux 2.6.33) is where the structures that are sent here end their growth. */
	if (request->body_size < 16 || in->major != FUSE_KERNEL_VERSION || in->minor < 12) {
		fuse_answer(worker, request, EPROTO, NULL, 0);
		server->ready(server, EPROTO);
		return;
	}
	uint64_t offered = in->flags;
	if ((offered & FUSE_INIT_EXT) && request->body_size >= sizeof *in)
		offered |= (uint64_t)in->flags2 << 32;
	uint64_t agreed = offered & wanted_of(server);
	out.flags = (uint32_t)agreed;
	out.flags2 = (uint32_t)(agreed >> 32);
	out.max_readahead = server->recording ? 0 : in->max_readahead;
	server->no_open = agreed & FUSE_NO_OPEN_SUPPORT;
	server->no_opendir = agreed & FUSE_NO_OPENDIR_SUPPORT;
	/* Before 7.23 the answer was shorter. */
	int error = fuse_answer(worker, request, 0, &out,
				in->minor < 23 ? FUSE_COMPAT_22_INIT_OUT_SIZE : sizeof out);
	server->ready(server, error);
	/* Until it has the answer the kernel lets everybody wait who asks for a file; the device's end ends that. */
	if (error)
		fuse_server_end(server, error);
}

static void dispatch(struct fuse_worker *worker, const struct fuse_request *request)
{
	switch (request->header->opcode) {
	case FUSE_INIT:
		answer_init(worker, request);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT: /* no request here waits for anything but the disk */
		break;
	default:
		fuse_operate(worker, request);
		if (!worker->server->grown)
			fuse_weigh(worker->server, request);
	}
}

int fuse_work(struct fuse_worker *worker)
{
	uint8_t *buffer = worker->request;

	for (;;) {
		fuse_take_turn(worker);
		ssize_t n = read(worker->server->device, buffer, FUSE_REQUEST_MAX);
		struct fuse_request request = {
			.header = (const struct fuse_in_header *)buffer,
			.body = buffer + sizeof *request.header,
		};
		if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
			continue;
		if (n < 0)
			return errno;
		if ((size_t)n < sizeof *request.header || request.header->len != (size_t)n)
			return EPROTO;
		request.body_size = (size_t)n - sizeof *request.header;
		dispatch(worker, &request);
	}
}
