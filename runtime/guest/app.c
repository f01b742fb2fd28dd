#include "guest/app.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/inherited.h"
#include "base/owned.h"
#include "generated/names.h"
#include "guest/image.h"
#include "guest/root.h"
#include "start/exec.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The app's ends: 0 to 2 of its process. */
struct ends {
	int in, out, err;
};

static int refuse_ends(struct failure *failure)
{
	return fail_errno(failure, FUSELAGE_E_GUEST_START, "stdin, stdout and stderr of the app");
}

/* What was ready may be read by the time that it is asked for, and process 1 waits for nobody. */
static int wait_not(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

static int open_pipes(struct app *app, struct ends *ends, struct failure *failure)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    wait_not(in[1]) < 0 || wait_not(out[0]) < 0 || wait_not(err[0]) < 0)
		return refuse_ends(failure);
	*ends = (struct ends){ in[0], out[1], err[1] };
	app->in = in[1];
	app->out = out[0];
	app->err = err[0];
	return 0;
}

static int open_terminal(struct app *app, struct ends *ends, const struct run_file *run,
			 struct failure *failure)
{
	const struct winsize size = { .ws_row = (unsigned short)run->rows,
				      .ws_col = (unsigned short)run->columns };
	int unlocked = 0;

	app->in = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (app->in < 0 || ioctl(app->in, TIOCSPTLCK, &unlocked) < 0)
		return refuse_ends(failure);
	int peer = ioctl(app->in, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (peer < 0 || ioctl(peer, TIOCSWINSZ, &size) < 0)
		return refuse_ends(failure);
	*ends = (struct ends){ peer, peer, peer };
	app->out = fcntl(app->in, F_DUPFD_CLOEXEC, 3);
	app->err = -1;
	return 0;
}

static int open_ends(struct app *app, struct ends *ends, const struct run_file *run,
		     struct failure *failure)
{
	app->in = app->out = app->err = -1;
	app->has_terminal = run->has_terminal && run->transport != GUEST_TRANSPORT_CONSOLE;
	if (run->transport == GUEST_TRANSPORT_CONSOLE) {
		int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
		*ends = (struct ends){ console, console, console };
		return console < 0 ? refuse_ends(failure) : 0;
	}
	return app->has_terminal ? open_terminal(app, ends, run, failure) :
				   open_pipes(app, ends, failure);
}

static int set_environment(const struct guest *guest, struct failure *failure)
{
	const struct text_list *given = &guest->run.variables;
	bool is_root = guest->app.bundle.manifest.root.is_root;
	bool terminal = guest->run.has_terminal || guest->run.transport == GUEST_TRANSPORT_CONSOLE;
	int failed = clearenv();

	for (size_t i = 0; i < given->count; i++)
		failed |= putenv((char *)(uintptr_t)given->texts[i]);
	failed |= setenv("PATH", PATH_DEFAULT, 0);
	if (!is_root)
		failed |= setenv(ENV_HOME, "/root", 0);
	if (terminal)
		failed |= setenv("TERM", "linux", 0);
	return failed ? fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "environment") : 0;
}

static int run_plain(struct start *start, struct guest *guest, struct failure *failure)
{
	struct run_file *run = &guest->run;

	if (run->words.count > 0)
		return fail(failure, FUSELAGE_E_RUN_OPTION,
			    "%.300s: options of a start are for an image that is a root directory",
			    run->words.texts[0]);
	if (chdir(run->cwd ? run->cwd : "/") < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "cwd=%.600s", run->cwd);
	return exec_bundle(start, &guest->app.bundle, (char **)(uintptr_t)run->args.texts, failure);
}

/* The child: what process 1 is, and an app is not, ends here. */
static int become(struct start *start, struct guest *guest, const struct ends *ends,
		  struct failure *failure)
{
	bool terminal = isatty(ends->in);

	inherited_reset_signals();
	setsid();
	if (terminal)
		ioctl(ends->in, TIOCSCTTY, 0);
	if (dup2(ends->in, 0) < 0 || dup2(ends->out, 1) < 0 || dup2(ends->err, 2) < 0)
		return refuse_ends(failure);
	if (inherited_take(&start->inherited, failure) < 0 || set_environment(guest, failure) < 0)
		return -1;
	return guest->app.bundle.manifest.root.is_root || guest->run.has_root ?
		       root_run(start, guest, failure) :
		       run_plain(start, guest, failure);
}

static void start_init(struct start *start)
{
	*start = (struct start){
		.identity = { .kind = NAMESPACE_PRIVILEGED },
		.mounting = { .host_namespace = -1, .record = -1, .janitor = -1 },
		.procdir = { .fd = -1, .lock = -1 },
		.keep = { .cache = -1 },
		.cwd = -1,
	};
	start->mounting.identity = &start->identity;
}

/* What this bundle is, and a machine of its own cannot start. */
static int check_kind(const struct guest *guest, struct failure *failure)
{
	const struct manifest *manifest = &guest->app.bundle.manifest;

	if (manifest->root.is_root && guest->run.has_root)
		return fail(
			failure, FUSELAGE_E_GUEST_START,
			"the bundle's image is a root directory itself: no other goes around it");
	if (!manifest->root.is_root && !manifest->entry)
		return fail(failure, FUSELAGE_E_GUEST_START,
			    "the bundle records a command line of the runner, not a program of "
			    "its image");
	return 0;
}

int app_start(struct app *app, struct guest *guest, struct failure *failure)
{
	static struct start start; /* large: paths */
	struct ends ends;
	int started[2];

	start_init(&start);
	if (check_kind(guest, failure) < 0 || image_place(&start, guest, failure) < 0 ||
	    open_ends(app, &ends, &guest->run, failure) < 0)
		return -1;
	if (pipe2(started, O_CLOEXEC) < 0)
		return refuse_ends(failure);
	app->pid = fork();
	if (app->pid < 0)
		return fail_errno(failure, FUSELAGE_E_GUEST_START, "process of the app");
	if (app->pid == 0) {
		become(&start, guest, &ends, failure);
		failure_send(started[1], failure);
		_exit(failure_known(failure->code)->status);
	}
	close(started[1]);
	close(ends.in);
	if (ends.out != ends.in) {
		close(ends.out);
		close(ends.err);
	}
	bool failed = failure_receive(started[0], failure); /* its end is exec */
	close(started[0]);
	return failed ? -1 : 0;
}
