/* The requests that a read-only file system answers. */
#ifndef FUSE_OPERATIONS_H
#define FUSE_OPERATIONS_H

#include <linux/fuse.h>

#include "fuse/server.h"

/* A request: its header and what follows. */
struct fuse_request {
	const struct fuse_in_header *header;
	const void *body;
	size_t body_size;
};

/* Sends an answer: error 0 and `size` bytes, or a positive errno. */
void fuse_answer(struct fuse_server *server, const struct fuse_request *request, int error,
		 const void *data, size_t size);

/* Answers every request but INIT and those that want no answer. */
void fuse_operate(struct fuse_server *server, const struct fuse_request *request);

#endif
