/* Everything that one start knows. What works on a part of it is given that part. */
#ifndef START_H
#define START_H

#include <limits.h>
#include <stdbool.h>

#include "base/inherited.h"
#include "kernel/identity.h"
#include "mount/mounting.h"
#include "start/invocation.h"
#include "start/keep.h"
#include "start/procdir.h"

struct bundle;
struct root_start;
struct sandbox;

struct start {
	struct inherited inherited;
	struct identity identity;
	struct invocation invocation;
	struct mounting mounting;
	struct procdir procdir;
	struct keep keep;
	bool is_bundle; /* starts the entrypoint of its own image, not a command of the runner's */
	const struct bundle *bundle; /* whose entrypoint must be in the image; or NULL */
	struct root_start *root; /* its root directory is the image (root/root_start.h); or NULL */
	struct sandbox *sandbox; /* the app is fenced in by it; or NULL (fence.h) */
	const char *needs; /* of the caller's user namespace: words and commas; or NULL */
	struct failure kept_out; /* why a namespace of its own was made, where none was wanted */
	char home[PATH_MAX]; /* ~/.fuselage or what stands in for it */
	int cwd; /* the caller's current directory, kept while we mount, or -1 */
};

#endif
