/*
 * What a server says, having nobody it could print to: lines to the system's log, where there is
 * one. Only what is wrong with the image is worth one.
 */
#ifndef FUSE_LOG_H
#define FUSE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>

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
 * fill a disk. `file` says which file of the image is meant, or is NULL.
 */
int fuse_log_failure(struct fuse_log *log, int error, const char *fault, const char *file);
/* Whether the next failure gets a line: what it says may take long to find out. */
bool fuse_log_wants(struct fuse_log *log, int error);

#endif
