/*
 * A start, phase by phase:
 *
 *   own file: a bundle, or the runner → what is to be done (a manifest or a command line)
 *   → archives opened, with the caller's rights → directories on the host
 *   → private namespace, archives placed in it (mount_archives.c) → root given up → exec
 *
 * This process becomes the app: nothing waits for it, nothing cleans up after it. What was mounted
 * ends with the mount namespace, and that with the last process in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/appimage.h"
#include "base/show.h"
#include "cli/appimage_options.h"
#include "cli/desktop_notice.h"
#include "cli/runner_options.h"
#include "start/appimage_start.h"
#include "base/clock.h"
#include "base/variable.h"
#include "cache/store.h"
#include "bundle/bundle.h"
#include "cli/doctor.h"
#include "cli/libc_report.h"
#include "cli/help.h"
#include "start/home.h"
#include "start/exec.h"
#include "start/fence.h"
#include "cli/mount_command.h"
#include "cli/mount_helper.h"
#include "kernel/namespace.h"
#include "cli/bundle_options.h"
#include "start/mount_archives.h"
#include "start/record.h"
#include "kernel/policy.h"
#include "generated/names.h"
#include "flavour/flavour.h"
#include "root/root_start.h"
#include "sandbox/policy.h"

/*
 * Root runs what it finds at paths that it knows. So what a user shows at one in setuid-root mode is
 * what policy names; with anything else the start is an ordinary one, in a user namespace where
 * nobody is root.
 */
static int check_fixed(struct start *start, struct failure *failure)
{
	bool allowed = true;

	if (policy_read(&start->mounting.policy, start->invocation.archives,
			start->invocation.count, failure) < 0)
		return -1;
	for (size_t i = 0; i < start->invocation.count; i++)
		allowed &= !start->invocation.archives[i].fixed ||
			   start->invocation.archives[i].allowed;
	if (allowed)
		return 0;
	start->mounting.share.linger = 0;
	start->identity.kind = NAMESPACE_USER;
	return privileges_forget(&start->identity.caller, failure);
}

/* What holds for every way that the archives may take. */
static int settle(struct start *start, struct failure *failure)
{
	bool root;

	start->identity.kind = namespace_kind(&start->identity.caller);
	fuse_options_init(&start->mounting.fuse);
	if (fuse_options_parse(&start->mounting.fuse, ENV_FUSELAGE_FUSE, getenv(ENV_FUSELAGE_FUSE),
			       failure) < 0 ||
	    share_parse(&start->mounting.share, failure) < 0 ||
	    keep_parse(&start->keep, getenv(ENV_FUSELAGE_KEEP), failure) < 0 ||
	    cache_max_age(failure) < 0 || variable_number(ENV_FUSELAGE_DEBUG, 1, 0, failure) < 0)
		return -1;
	int learns = variable_number(ENV_FUSELAGE_LEARN, 1, 1, failure);
	if (learns < 0)
		return -1;
	/* In setuid-root mode nothing of the caller's is written to with root's rights, nor read. */
	start->mounting.learn = learns && !start->identity.caller.setuid;
	if (start->identity.caller.setuid && check_fixed(start, failure) < 0)
		return -1;
	/* Root is root already: with a mount namespace alone nothing is mapped. */
	root = start->invocation.map_root_user && start->identity.kind == NAMESPACE_USER;
	start->identity.uid = root ? 0 : start->identity.caller.uid;
	start->identity.gid = root ? 0 : start->identity.caller.gid;
	return 0;
}

/*
 * The app starts, and what needs the caller's user namespace will fail in words of its own: sudo says
 * that it is not installed set-id. So what was asked for at the build, and was refused by this machine,
 * is worth a line. Where FUSELAGE_MOUNT decides there is none: whoever set it knows.
 */
static void tell_kept_out(const struct start *start)
{
	char shown[101];

	if (start->needs && start->identity.kind == NAMESPACE_USER &&
	    start->kept_out.code != FUSELAGE_OK && strcmp(start->mounting.type, "auto") == 0) {
		(void)show_text(shown, sizeof shown, start->needs);
		fprintf(stderr,
			"fuselage: \"%s\" cannot be had here, see --bundle-doctor (%.300s)\n",
			shown, start->kept_out.text);
	}
}

/* Everything from opened archives to mounted ones. */
static int prepare(struct start *start, struct failure *failure)
{
	bool debug = variable_is_on(ENV_FUSELAGE_DEBUG);
	double began = debug ? clock_milliseconds() : 0;

	if (settle(start, failure) < 0 ||
	    (flavour_is_runner && start->root && root_identify(start->root, start, failure) < 0) ||
	    home_prepare(start->home, &start->identity, failure) < 0 ||
	    record_begin(start, failure) < 0)
		return -1;
	start->mounting.starts = true;
	if (mount_archives(start, failure) < 0) {
		record_abandon(start);
		return -1;
	}
	tell_kept_out(start);
	if (debug)
		fprintf(stderr, "fuselage: mounted by %s%s in %.2f ms at %s\n",
			start->mounting.strategy ? start->mounting.strategy : "nothing",
			start->mounting.share.joined ? " (shared)" : "",
			clock_milliseconds() - began, start->procdir.path);
	return 0;
}

static int open_archives(struct start *start, struct failure *failure)
{
	for (size_t i = 0; i < start->invocation.count; i++) {
		struct archive *archive = &start->invocation.archives[i];
		if (archive_open(archive, failure) < 0 ||
		    privileges_isolated(&start->identity.caller, archive_check, archive, failure) <
			    0)
			return -1;
	}
	return 0;
}

/* What works here, in place of a start. */
static int examine(struct start *start, bool json, struct failure *failure)
{
	if (settle(start, failure) < 0 ||
	    (flavour_is_runner && start->root && root_identify(start->root, start, failure) < 0))
		return -1;
	start->mounting.share.linger = 0; /* what it tries is not what anybody would use */
	if (doctor_run(start, json, failure) < 0)
		return -1;
	return bundle_options_flush(failure);
}

/* Mounts of the host's are made with the caller's own rights alone. */
static int begin_mount(struct start *start, struct failure *failure)
{
	return privileges_forget(&start->identity.caller, failure) < 0 ? -1 :
									 settle(start, failure);
}

static int run_invocation(struct start *start, const struct bundle *bundle, char **argv,
			  struct failure *failure)
{
	struct invocation *invocation = &start->invocation;

	if (runner_options_parse(invocation, argv, bundle ? bundle->path : NULL, failure) < 0)
		return -1;
	if (invocation->help || invocation->version) {
		fputs(invocation->help ? help_text(HELP_RUNNER) : "fuselage " FUSELAGE_VERSION "\n",
		      stdout);
		return bundle_options_flush(failure);
	}
	start->mounting.type = invocation->mount_type;
	if (!invocation->mount.file && fence_choose(start, bundle, failure) < 0)
		return -1;
	if (invocation->mount.file)
		return begin_mount(start, failure) < 0 ? -1 : mount_run(start, failure);
	if (open_archives(start, failure) < 0)
		return -1;
	if (invocation->doctor)
		return examine(start, strcmp(invocation->doctor, "json") == 0, failure);
	if (prepare(start, failure) < 0)
		return -1;
	return exec_command(start, bundle, failure);
}

/* Recorded arguments, then the user's, as one command line of the runner. */
static int run_recorded(struct start *start, const struct bundle *bundle, char **args,
			struct failure *failure)
{
	const struct manifest *manifest = &bundle->manifest;
	size_t count = 0;

	while (args[count])
		count++;
	char **argv = calloc(manifest->invocation_count + count + 1, sizeof *argv);
	if (!argv)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: arguments", bundle->path);
	memcpy(argv, manifest->invocation, manifest->invocation_count * sizeof *argv);
	memcpy(argv + manifest->invocation_count, args, count * sizeof *argv);
	return run_invocation(start, bundle, argv, failure); /* which borrows argv until exec */
}

static int take_bundle(struct start *start, struct bundle *bundle, struct failure *failure)
{
	struct archive *archive = calloc(1, sizeof *archive);

	if (!archive)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "%s: archive", bundle->path);
	archive_from_bundle(archive, bundle);
	start->needs = bundle->manifest.needs;
	start->invocation = (struct invocation){
		.archives = archive,
		.count = 1,
		.maps = bundle->manifest.maps,
		.map_count = bundle->manifest.map_count,
	};
	return 0;
}

static int take_mount_type(struct start *start, struct failure *failure)
{
	const char *wanted = getenv(ENV_FUSELAGE_MOUNT);

	start->mounting.type = wanted && *wanted ? wanted : "auto";
	return runner_options_check_mount_type(ENV_FUSELAGE_MOUNT, start->mounting.type, failure);
}

/* In a writable copy each start has its own. */
static void take_kept(struct start *start, const struct bundle *bundle)
{
	if (bundle->manifest.hot_count && !bundle->manifest.writable)
		start->keep.bundle = bundle;
}

static int run_forget(struct start *start, struct bundle *bundle, char **args,
		      struct failure *failure)
{
	if (args[0])
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
			    "%s takes no argument, found \"%.80s\"", "--bundle-forget", args[0]);
	if (take_bundle(start, bundle, failure) < 0)
		return -1;
	take_kept(start, bundle);
	return keep_forget(start, failure) < 0 ? -1 : bundle_options_flush(failure);
}

static int run_doctor(struct start *start, struct bundle *bundle, char **args,
		      struct failure *failure)
{
	bool json = args[0] && strcmp(args[0], "--json") == 0;

	if (args[0] && (!json || args[1]))
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
			    "--bundle-doctor: expected --json or nothing, found \"%.80s\"",
			    args[json]);
	start->is_bundle = bundle->manifest.entry != NULL;
	if (flavour_is_runner && fence_choose(start, bundle, failure) < 0)
		return -1;
	if (flavour_is_runner && bundle->manifest.root.is_root) {
		static struct root_start root;
		if (root_begin_examination(&root, bundle, failure) < 0)
			return -1;
		start->root = &root;
	}
	/* Beside the array, which is of strategies. */
	if (take_bundle(start, bundle, failure) < 0)
		return -1;
	take_kept(start, bundle);
	libc_report(&bundle->manifest, json ? stderr : stdout);
	return examine(start, json, failure);
}

static int run_mount(struct start *start, struct bundle *bundle, char **args,
		     struct failure *failure)
{
	if (args[0] && args[1])
		return fail(failure, FUSELAGE_E_OPTION_UNKNOWN,
			    "--bundle-mount: expected one directory, found \"%.80s\" behind it",
			    args[1]);
	if (begin_mount(start, failure) < 0 || take_bundle(start, bundle, failure) < 0 ||
	    take_mount_type(start, failure) < 0)
		return -1;
	return mount_archive(start, start->invocation.archives, args[0], false, failure);
}

/* On the host, where whoever asks can see it. */
static int run_appimage_mount(struct start *start, struct bundle *bundle, struct failure *failure)
{
	start->mounting.on_host = true;
	if (begin_mount(start, failure) < 0 || take_bundle(start, bundle, failure) < 0)
		return -1;
	start->invocation.map_count = 0; /* they are for an app */
	if (take_mount_type(start, failure) < 0 ||
	    home_prepare(start->home, &start->identity, failure) < 0 ||
	    mount_archives(start, failure) < 0)
		return -1;
	return appimage_hold(start->invocation.archives[0].target, &start->procdir, failure);
}

/* The program at the front of a bundle without rules has no sandbox: who asks for one must not start without. */
static int refuse_sandbox(const struct start *start, const struct bundle *bundle,
			  struct failure *failure)
{
	static struct sandbox_policy policy;

	if (sandbox_policy_read(&policy, bundle, &start->identity.caller, failure) < 0)
		return -1;
	const char *who = sandbox_policy_demands(&policy, getenv(ENV_FUSELAGE_SANDBOX));
	if (!who)
		return 0;
	const struct manifest *manifest = &bundle->manifest;

	/* Another command would be another start, a Node without its script: only a new bundle is the same one. */
	bool again = manifest->arg_count || manifest->variable_count || manifest->mount_at ||
		     manifest->map_count || manifest->writable;
	return fail(failure, FUSELAGE_E_SANDBOX_FRONT,
		    "%.200s: expected a bundle with a sandbox, as %.200s asks for one, found none "
		    "in it. "
		    "Instead: %s%.200s%s%.200s",
		    bundle->path, who,
		    again ? "bundle build " : "fuselage --sandbox --static=app:", bundle->path,
		    again ? " -o NEW --sandbox" : " --run app/", again ? "" : manifest->entry);
}

/* A bundle that the builder made: one archive, the file itself, and a program in it. */
static int run_entry(struct start *start, struct bundle *bundle, char **args,
		     struct failure *failure)
{
	if ((flavour_is_runner ? fence_choose(start, bundle, failure) :
				 refuse_sandbox(start, bundle, failure)) < 0 ||
	    take_bundle(start, bundle, failure) < 0 || take_mount_type(start, failure) < 0)
		return -1;
	start->is_bundle = true;
	take_kept(start, bundle);
	if (bundle->appimage)
		appimage_choose(&start->mounting, bundle);
	start->bundle = bundle;
	if (prepare(start, failure) < 0)
		return -1;
	return exec_bundle(start, bundle, args, failure);
}

/* Its image is the root directory of the app. */
static int run_root(struct start *start, struct bundle *bundle, bool asked, char **args,
		    struct failure *failure)
{
	static struct root_start root;

	if (fence_choose(start, bundle, failure) < 0)
		return -1;
	int done = root_begin(&root, start, bundle, asked ? args : NULL, args, failure);

	if (done < 0)
		return -1;
	if (root.options.help)
		fputs(help_run(), stdout);
	if (done)
		return bundle_options_flush(failure);
	if (take_bundle(start, bundle, failure) < 0 || take_mount_type(start, failure) < 0)
		return -1;
	start->root = &root;
	start->bundle = bundle->manifest.entry ? bundle : NULL;
	if (prepare(start, failure) < 0)
		return -1;
	return root_exec(&root, start, failure);
}

/* Its frame is large: it is made when the stack is known to have room for it. */
__attribute__((noinline)) static int run(struct start *start, struct bundle *bundle, char **argv,
					 struct failure *failure)
{
	int found;
	char **args = argv[0] ? argv + 1 : argv;

	bundle->argv0 = argv[0] ? argv[0] : "";
	found = bundle_open(bundle,
			    start->identity.caller.setuid ? NULL : getenv(ENV_TARGET_APPIMAGE),
			    failure);
	if (found < 0)
		return -1;
	if (!flavour_is_runner && (found == 0 || !bundle->manifest.entry))
		return fail(failure, FUSELAGE_E_IMAGE_MISSING,
			    "this program starts a bundle that is behind it, and finds none");
	if (found == 0 && flavour_is_runner && mount_helper_is_called(bundle->argv0)) {
		bool fake;
		args = mount_helper_arguments(args, &fake, failure);
		if (!args || fake)
			return args ? 0 : -1;
	}
	if (found == 0)
		return run_invocation(start, NULL, args, failure);

	if (bundle->manifest.runtime_options && args[0]) {
		if (strcmp(args[0], "--bundle-doctor") == 0)
			return run_doctor(start, bundle, args + 1, failure);
		if (strcmp(args[0], "--bundle-forget") == 0)
			return run_forget(start, bundle, args + 1, failure);
		if (strcmp(args[0], "--bundle-mount") == 0)
			return run_mount(start, bundle, args + 1, failure);
	}
	if (bundle->appimage && args[0] && strcmp(args[0], "--appimage-mount") == 0)
		return run_appimage_mount(start, bundle, failure);
	bool is_root = flavour_is_runner && bundle->manifest.root.is_root;
	if (is_root && bundle->manifest.runtime_options && args[0] &&
	    strcmp(args[0], "--bundle-run") == 0)
		return run_root(start, bundle, true, args + 1, failure);
	int done = bundle->appimage ?
			   appimage_options(&start->identity.caller, bundle, &args, failure) :
			   0;
	if (!done)
		done = bundle_options_run(bundle, &start->identity.caller, args, failure);
	if (done)
		return done < 0 ? -1 : 0;
	if (bundle->manifest.runtime_options && args[0] && strcmp(args[0], "--") == 0)
		args++;
	if (is_root)
		return run_root(start, bundle, false, args, failure);
	if (bundle->appimage)
		appimage_look_beside(bundle, &start->identity.caller);
	return !bundle->manifest.invocation_count || !flavour_is_runner ?
		       run_entry(start, bundle, args, failure) :
		       run_recorded(start, bundle, args, failure);
}

int main(int argc, char **argv)
{
	static struct start start; /* large: paths */
	static struct bundle bundle;
	struct failure failure = { 0 };

	bundle.file = -1;
	start.mounting.identity = &start.identity;
	start.mounting.home = start.home;
	start.mounting.host_namespace = -1;
	start.mounting.record = -1;
	start.mounting.janitor = -1;
	start.procdir.lock = -1;
	start.procdir.fd = -1;
	start.cwd = -1;
	start.keep.cache = -1;
	if (privileges_begin(&start.identity.caller, &failure) == 0 &&
	    inherited_take(&start.inherited, &failure) == 0 &&
	    run(&start, &bundle, argv, &failure) == 0)
		return 0;

	const struct fuselage_failure *known = failure_known(failure.code);
	int status = appimage_status(&bundle, argc > 1 ? argv[1] : NULL, known->status);
	fprintf(stderr, "fuselage: [%s] %s\n  %s\n", known->code, failure.text, known->hint);
	if (status == 127 && bundle.appimage && !start.identity.caller.setuid)
		desktop_notice(&bundle, failure.text, known->hint);
	return status;
}
