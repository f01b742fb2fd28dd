/*
 * What a server says, having nobody it could print to: lines to the system's log, where there is
 * one. Only what is wrong with the image is worth one.
 */
#ifndef FUSE_LOG_H
#define FUSE_LOG_H

#include <stdatomic.h>

struct fuse_log {
	int socket; /* connected, or -1 */
	int process;
	atomic_uint count; /* of failures so far */
	char image[256]; /* its path when the server was started */
};

/* Before the sandbox, which lets nothing be opened or connected. */
void fuse_log_open(struct fuse_log *log, int image);

/*
 * One line about a failure of the reader; returns the errno to answer. Every one of the first
 * sixteen, then each time their number has doubled: a program that tries again and again does not
 * fill a disk.
 */
int fuse_log_failure(struct fuse_log *log, int error, const char *fault);

#endif
