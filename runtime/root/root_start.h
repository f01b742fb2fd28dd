/*
 * A start whose root directory is the image, in the process that becomes the app:
 *
 *   options, USER looked up in the image, which user namespace (root_begin, root_identify)
 *   → the image is mounted, as for every start (start/mount_archives.h)
 *   → a user namespace in which the caller is USER (kernel/namespace.h) → --pid (init.h)
 *   → what is to be inside, as detached trees (sources.h) → tmpfs and overlay, pivot_root (layers.h)
 *   → the trees into their places (place.h) → masks → environment, rights → a sandbox (fenced.h) → exec
 *
 * There are three ways to be USER. The caller alone has a name inside: every file is its own. With
 * --range others have one too, and own their files. Root of the machine is who it is.
 */
#ifndef ROOT_START_H
#define ROOT_START_H

#include "bundle/bundle.h"
#include "flavour/flavour.h"
#include "kernel/id_maps.h"
#include "root/options.h"
#include "root/persist.h"
#include "libc/accounts.h"
#include "sandbox/inside.h"
#include "start/start.h"

struct root_start {
	const struct bundle *bundle;
	struct run_options options;
	char **args; /* of the app: the user's */
	struct account user;
	struct id_maps maps;
	struct persist persist;
	const struct sandbox *sandbox; /* it is fenced in by it (fenced.h); or NULL */
	struct inside *inside; /* with a sandbox: what is made of its rules */
	bool initial; /* root of the machine, not of a container's user namespace */
};

/* Around the process of a virtual machine there is that. */
static inline bool root_is_fenced(const struct root_start *root)
{
	return !flavour_is_guest && root->sandbox;
}

/* Whether /dev has what every program expects, and no more. */
static inline bool root_has_own_devices(const struct root_start *root)
{
	return root->options.contain || root_is_fenced(root);
}

/*
 * Reads the options; `command_line` is what stands behind --bundle-run, or NULL: then `args` are the
 * app's. Returns 1 when there is nothing to start.
 */
int root_begin(struct root_start *root, struct start *start, const struct bundle *bundle,
	       char **command_line, char **args, struct failure *failure);

/* Who the app is, by the options, the manifest and the texts of these files. */
int root_choose_user(struct root_start *root, const char *passwd, const char *group,
		     struct failure *failure);

/* When it is known what this process may do: who it is going to be. */
int root_identify(struct root_start *root, struct start *start, struct failure *failure);

/* The same without --persist, for the doctor: nothing is going to run. */
int root_begin_examination(struct root_start *root, const struct bundle *bundle,
			   struct failure *failure);

/* When the image is mounted: it becomes the root directory of this process. */
int root_build(struct root_start *root, struct start *start, struct failure *failure);

/* When the image is mounted: all the rest. Returns -1, or not at all. */
int root_exec(struct root_start *root, struct start *start, struct failure *failure);

#endif
