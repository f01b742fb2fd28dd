#include "root/root_start.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/namespace.h"
#include "root/environment.h"
#include "root/fenced.h"
#include "root/image_text.h"
#include "process/init.h"
#include "root/layers.h"
#include "root/masks.h"
#include "root/program.h"
#include "root/range.h"
#include "root/rights.h"
#include "root/sources.h"
#include "kernel/trees.h"

int root_choose_user(struct root_start *root, const char *passwd, const char *group,
		     struct failure *failure)
{
	const struct root_config *config = &root->bundle->manifest.root;
	const char *wanted = root->options.user ? root->options.user :
			     config->user	? config->user :
						  "0";

	return account_find(&root->user, wanted, passwd, group, failure);
}

static int find_user(struct root_start *root, struct failure *failure)
{
	OWNED_FD upper = root->persist.directory < 0 ?
				 -1 :
				 openat(root->persist.directory, PERSIST_UPPER,
					O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	OWNED char *passwd = image_text(root->bundle, upper, "/etc/passwd", failure);
	OWNED char *group = passwd ? image_text(root->bundle, upper, "/etc/group", failure) : NULL;

	return group ? root_choose_user(root, passwd, group, failure) : -1;
}

int root_begin(struct root_start *root, struct start *start, const struct bundle *bundle,
	       char **command_line, char **args, struct failure *failure)
{
	const struct caller *caller = &start->identity.caller;

	*root = (struct root_start){
		.bundle = bundle,
		.args = args,
		.persist = { .directory = -1, .lock = -1, .watcher = -1 },
	};
	if (caller->setuid)
		return fail(
			failure, FUSELAGE_E_ROOT_START,
			"%s: installed setuid-root it gives no root directories: whoever made the "
			"image would choose what root finds",
			bundle->path);
	if (run_options_read(&root->options, &bundle->manifest.root, command_line, &root->args,
			     failure) < 0)
		return -1;
	if (root->options.help)
		return 1;
	root->options.pid |= start->sandbox && rules_have(&start->sandbox->rules, RULE_PID);
	if (root->options.persist &&
	    persist_open(&root->persist, root->options.persist, caller, failure) < 0)
		return -1;
	if (root->options.persist_rm)
		return persist_remove(&root->persist, root->options.persist, caller, failure) < 0 ?
			       -1 :
			       1;
	return find_user(root, failure);
}

int root_begin_examination(struct root_start *root, const struct bundle *bundle,
			   struct failure *failure)
{
	*root = (struct root_start){ .bundle = bundle, .persist = { -1, -1, -1, false } };
	if (run_options_read(&root->options, &bundle->manifest.root, NULL, NULL, failure) < 0)
		return -1;
	root->options.persist = NULL;
	root->options.pid = root->options.contain = false;
	return find_user(root, failure);
}

int root_identify(struct root_start *root, struct start *start, struct failure *failure)
{
	struct identity *identity = &start->identity;

	root->initial = namespace_is_initial(&identity->caller);
	if (!flavour_is_guest && start->sandbox) {
		static struct inside inside;
		if (fenced_check(start->sandbox, failure) < 0)
			return -1;
		root->sandbox = start->sandbox;
		root->inside = &inside;
	}
	/* Who may mount has every user already, or as many as its container has. */
	if (!root->options.range || identity->kind != NAMESPACE_USER)
		return 0;
	/* What is kept belongs to the same users whoever the app is: then the caller is always root inside. */
	if (root->persist.directory >= 0) {
		identity->uid = identity->gid = 0;
	} else {
		identity->uid = root->user.uid;
		identity->gid = root->user.gid;
	}
	if (range_find(&root->maps, &identity->caller, identity->uid, identity->gid, failure) < 0)
		return -1;
	identity->maps = &root->maps;
	return 0;
}

/* The caller becomes USER. With others in the namespace it has been that since that was made. */
static int enter_namespaces(const struct root_start *root, const struct start *start,
			    struct failure *failure)
{
	const char *hostname = root->options.hostname;

	if (start->identity.kind == NAMESPACE_USER && !identity_has_range(&start->identity) &&
	    namespace_nest(root->user.uid, root->user.gid, failure) < 0)
		return -1;
	if (hostname && (unshare(CLONE_NEWUTS) < 0 || sethostname(hostname, strlen(hostname)) < 0))
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "host name %s", hostname);
	if (root_is_fenced(root) &&
	    inside_enter_namespaces(root->inside, root->sandbox, failure) < 0)
		return -1;
	if (!root->options.pid)
		return 0;
	return root->options.as_init ? init_begin_as_app(failure) : init_begin(failure);
}

/* A /dev of its own has terminals of its own. */
static int mount_terminals(struct failure *failure)
{
	if (mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620") == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_ROOT_START, "/dev/pts");
}

/* From the tmpfs on: what needs the machine's files, and what needs them gone. */
static int build(struct root_start *root, const struct start *start, struct sources *sources,
		 struct failure *failure)
{
	bool masked = root->options.contain || start->identity.kind == NAMESPACE_PRIVILEGED;
	int masks[MASKS_DIRECTORIES];
	OWNED_FD base = layers_base(root, start, failure);

	if (base < 0 || sources_collect(sources, root, base, failure) < 0)
		return -1;
	masks_collect(base, masks);
	if (layers_enter(root, start, base, failure) < 0 ||
	    place_all(sources->places, sources->count, failure) < 0 ||
	    (root_has_own_devices(root) && mount_terminals(failure) < 0) ||
	    (masked && masks_place(masks, failure) < 0))
		return -1;
	sources_settle(sources);
	for (size_t i = 0; i < sources->count; i++)
		if (sources->places[i].tree >= 0)
			close(sources->places[i].tree);
	for (size_t i = 0; i < MASKS_DIRECTORIES; i++)
		if (masks[i] >= 0)
			close(masks[i]);
	return 0;
}

/* -w, what the image says unless that is /, and the caller's own where it is inside. */
static int enter_workdir(const struct root_start *root, const struct sources *sources,
			 struct failure *failure)
{
	const char *recorded = root->bundle->manifest.root.workdir;
	const char *wanted = root->options.workdir;

	if (!wanted && recorded && recorded[1])
		wanted = recorded;
	if (!wanted)
		return sources->cwd && chdir(sources->texts[1]) == 0 ? 0 : chdir("/");
	OWNED_FD directory = place_directory(wanted, sources->memory, failure);
	if (directory < 0)
		return -1;
	if (fchdir(directory) == 0)
		return 0;
	return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "%.600s in the image", wanted);
}

int root_build(struct root_start *root, struct start *start, struct failure *failure)
{
	struct sources sources;

	return enter_namespaces(root, start, failure) < 0 ? -1 :
							    build(root, start, &sources, failure);
}

int root_exec(struct root_start *root, struct start *start, struct failure *failure)
{
	struct sources sources;

	if (enter_namespaces(root, start, failure) < 0 || build(root, start, &sources, failure) < 0)
		return -1;
	close(start->procdir.fd);
	/* Which is where the app finds what is in the image. */
	strcpy(start->invocation.archives[0].target, "/");
	if (environment_set(root, start, sources.home, rights_are_faked(root, &start->identity),
			    failure) < 0 ||
	    enter_workdir(root, &sources, failure) < 0)
		return -1;
	if (root->options.read_only && tree_read_only_root() < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_START, "/ cannot be made read-only");
	if (rights_take(root, &start->identity, failure) < 0 ||
	    (root_is_fenced(root) && inside_seal(root->inside, root->sandbox, failure) < 0) ||
	    (root->options.pid && !root->options.as_init && init_fork(failure) < 0))
		return -1;
	if (root->options.as_init)
		init_become();
	return program_exec(root, start, failure);
}
