/* What one start is to do, from a command line or from a bundle's manifest. */
#ifndef INVOCATION_H
#define INVOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "archive/archive.h"
#include "bundle/manifest.h"
#include "bundle/map.h"

/* --mount and --mount-fd, in place of a command. */
struct mount_request {
	const char *file; /* archive to mount, or NULL */
	const char *options; /* -o, or NULL */
	bool handover; /* to the process at the other end of descriptor 3 */
	bool foreground;
	bool container; /* of which standard input tells: its namespace is where DIR is */
};

struct invocation {
	struct archive *archives; /* in the order of the options */
	size_t count;
	struct map *maps; /* folders of the archives at paths of their own, or NULL */
	size_t map_count;
	bool cache_static; /* zip → squashfs, kept in <home>/cache */
	bool map_root_user;
	const char *sandbox; /* rules and words of --sandbox, "" without any; or NULL */
	const char *mount_type; /* "auto", or the name of a strategy */
	const char *run; /* path searched for in the archives, or NULL */
	struct variable *variables; /* for what runs, in order; the last has no text. Or NULL */
	size_t variable_count;
	char **command; /* NULL-terminated: the command, or the arguments of `run` */
	struct mount_request mount;
	/* What the option parser met instead of work to do. */
	bool help;
	bool version;
	const char *doctor; /* "text" or "json": say which strategies work for the archives */
};

#endif
