/*
 * How an image is served, as FUSELAGE_FUSE says, or mounted, as -o says: words separated by commas,
 * one table of them for both.
 */
#ifndef FUSE_OPTIONS_H
#define FUSE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fail.h"
#include "generated/names.h"

#define FUSE_OPTIONS_MOUNT "-o"

#define FUSE_CONTEXTS_MAX 512 /* bytes */

struct fuse_options {
	size_t cache_bytes; /* cache=SIZE: of decompressed file contents */
	/* -o alone */
	uid_t uid; /* shown as the owner of every file; (uid_t)-1: not said */
	gid_t gid;
	bool allow_other;
	bool auto_unmount; /* a mount on the host goes with its server (mount/auto_unmount.h) */
	bool noexec;
	bool suid; /* set-id bits count; root's alone, as is `dev` */
	bool dev; /* so do device nodes */
	unsigned
		threads; /* that answer requests; 0: as many as processors, FUSE_THREADS_DEFAULT at most */
	/* For a security module: "context=...,fscontext=...", in quotes where there is a comma. */
	char contexts[FUSE_CONTEXTS_MAX];
};

/* The length of the first of some words that commas separate; what is in double quotes is one. */
size_t fuse_option_length(const char *text);

void fuse_options_init(struct fuse_options *options);

/*
 * Reads a list on top of what is there. `where` it comes from is ENV_FUSELAGE_FUSE or
 * FUSE_OPTIONS_MOUNT; `text` may be NULL. Unknown words are errors that name them, and so are
 * values out of range: sizes below 1 MiB or above 1 TiB.
 */
int fuse_options_parse(struct fuse_options *options, const char *where, const char *text,
		       struct failure *failure);

/*
 * The number that stands in [text, last); a size may end in K, M or G. Returns false for what is none or
 * out of range.
 */
bool fuse_parse_number(const char *text, const char *last, bool size, uint64_t least, uint64_t most,
		       uint64_t *value);

#endif
