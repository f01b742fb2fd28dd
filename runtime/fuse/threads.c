#include "fuse/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "process/sandbox.h"

/*
 * Requests that one thread answers before there are more. The start of a program of a megabyte
 * stays below it, and so pays for no thread. A READ counts more, by its size.
 */
#define LOAD_ENOUGH 160
#define LOAD_READ 3
#define LOAD_BYTES (16u << 10)

#define STACK_BYTES (256u << 10)

void fuse_take_turn(struct fuse_worker *worker)
{
	struct fuse_turn *turn = &worker->server->turn;

	if (worker->turn)
		return;
	pthread_mutex_lock(&turn->lock);
	turn->waiting++;
	while (turn->taken)
		pthread_cond_wait(&turn->passed, &turn->lock);
	turn->waiting--;
	turn->taken = true;
	pthread_mutex_unlock(&turn->lock);
	worker->turn = true;
}

/* What the reader calls before it loads a block. */
static void pass_turn(void *argument)
{
	struct fuse_worker *worker = argument;
	struct fuse_turn *turn = &worker->server->turn;

	if (!worker->turn || !worker->server->grown)
		return;
	worker->turn = false;
	pthread_mutex_lock(&turn->lock);
	turn->taken = false;
	if (turn->waiting)
		pthread_cond_signal(&turn->passed);
	pthread_mutex_unlock(&turn->lock);
}

struct fuse_worker *fuse_worker_new(struct fuse_server *server)
{
	struct fuse_worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return NULL;
	worker->server = server;
	worker->reply = malloc(FUSE_REPLY_MAX);
	worker->reader = sqfs_reader_share(server->fs, server->cache);
	if (worker->reply && worker->reader) {
		sqfs_before_load(worker->reader, pass_turn, worker);
		return worker;
	}
	free(worker->reply);
	free(worker);
	return NULL;
}

/* What ends one of them ends them all; one that has no memory is done without. */
static void *worker_main(void *server)
{
	struct fuse_worker *worker = fuse_worker_new(server);

	if (worker)
		fuse_server_end(server, fuse_work(worker));
	return NULL;
}

bool fuse_start_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	bool started = pthread_create(&thread, &attributes, run, argument) == 0;
	pthread_attr_destroy(&attributes);
	return started;
}

/* All other threads, and then none any more. What cannot be started is done without. */
static void grow(struct fuse_server *server)
{
	readahead_init(&server->helper, server);
	if (!server->recording && fuse_start_thread(readahead_main, &server->helper))
		server->helper.running = true;
	for (unsigned i = 1; i < server->threads; i++)
		if (!fuse_start_thread(worker_main, server))
			break;
	sandbox_no_more_threads();
}

/* Called by the first thread alone, until there are others. */
void fuse_weigh(struct fuse_server *server, const struct fuse_request *request)
{
	const struct fuse_read_in *in = request->body;

	server->load++;
	if (request->header->opcode == FUSE_READ && request->body_size >= sizeof *in)
		server->load += LOAD_READ + in->size / LOAD_BYTES;
	if (server->load < LOAD_ENOUGH)
		return;
	server->grown = true; /* before there is another thread that reads it */
	grow(server);
}
