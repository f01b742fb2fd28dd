/* Everything that one start knows, handed from phase to phase. */
#ifndef START_H
#define START_H

#include <limits.h>
#include <stdbool.h>

#include "base/fail.h"
#include "base/inherited.h"
#include "fuse/fuse_options.h"
#include "cli/runner_options.h"
#include "kernel/privileges.h"
#include "share/share.h"

enum namespace_kind {
	NAMESPACE_PRIVILEGED, /* CAP_SYS_ADMIN where we are: a mount namespace is enough */
	NAMESPACE_USER, /* a user namespace that maps only the caller */
	NAMESPACE_NONE, /* both refused: mounts by fusermount3, seen by the host */
};

struct policy {
	bool loop; /* the kernel may mount images of the caller's */
};

struct start {
	struct inherited inherited;
	struct caller caller;
	struct policy policy;
	struct invocation invocation;
	struct fuse_options fuse;
	struct share share;
	enum namespace_kind kind;
	int host_namespace; /* of mounts, open from before the private one was entered, or -1 */
	/* How the caller is called inside the namespace: as outside, or 0 with --map-root-user. */
	uid_t uid;
	gid_t gid;
	char home_path[PATH_MAX]; /* ~/.fuselage or what stands in for it */
	char procdir[PATH_MAX]; /* of the ephemeral directories: procdir.h */
	int places; /* that directory */
	int cwd; /* the caller's current directory, kept while we mount, or -1 */
	int lock; /* of that directory when the host sees it, or -1 */
	int janitor; /* without a namespace: a socket to the process that cleans up */
	char refusal[512]; /* why there is no namespace */
	bool extract_and_run; /* an AppImage was told to, by its first argument */
	bool on_host; /* files are to be seen by others, or to stay: no namespace */
	const char *strategy; /* of the last image that was mounted */
};

#endif
