/*
 * Process 1 of a virtual machine, phase by phase:
 *
 *   the kernel's file systems → the run file → modules → ways to the host → clock, entropy, name
 *   → a root directory that can be left → disks, network, volumes → the app → its bytes, lines of the host
 *   (relay.c) → its status → the machine's end
 *
 * A failure is a line to the host, or on the console where there is no way to it.
 */
#include "guest/guest.h"

#include <signal.h>
#include <unistd.h>

#include "guest/app.h"
#include "guest/machine.h"
#include "guest/modules.h"
#include "guest/network.h"
#include "guest/relay.h"
#include "guest/volumes.h"

/* Milliseconds since the kernel's start. */
struct times {
	unsigned long init, modules, app;
};

/* As far as there is somebody to tell. */
static int connect(struct guest *guest, struct times *times, struct failure *failure)
{
	if (machine_mount(failure) < 0)
		return -1;
	times->init = machine_uptime();
	if (run_file_read(&guest->run, failure) < 0 || modules_load(failure) < 0)
		return -1;
	times->modules = machine_uptime();
	if (streams_open(&guest->streams, guest->run.transport, failure) < 0)
		return -1;
	report(&guest->streams, GUEST_TO_HOST_HELLO, "%d", GUEST_VERSION);
	return 0;
}

static int prepare(struct guest *guest, struct failure *failure)
{
	struct run_file *run = &guest->run;

	if (machine_configure(run, failure) < 0 || machine_leave_initramfs(failure) < 0 ||
	    disk_open(&guest->app, GUEST_DISK_APP, 0, false, failure) < 0 ||
	    (run->has_root && disk_open(&guest->root, GUEST_DISK_ROOT, 1, true, failure) < 0) ||
	    network_configure(run, failure) < 0)
		return -1;
	bool elsewhere = guest->app.bundle.manifest.root.is_root || run->has_root;
	return volumes_mount(run, elsewhere, failure);
}

static int run(struct guest *guest, struct failure *failure)
{
	struct times times = { 0 };
	struct app app;

	if (connect(guest, &times, failure) < 0 || prepare(guest, failure) < 0 ||
	    app_start(&app, guest, failure) < 0)
		return -1;
	times.app = machine_uptime();
	report(&guest->streams, GUEST_TO_HOST_UP, "init=%lu modules=%lu app=%lu", times.init,
	       times.modules, times.app);
	relay(&app, &guest->streams);
	return 0;
}

int main(void)
{
	static struct guest guest; /* large: paths */
	struct failure failure = { 0 };
	sigset_t all;

	if (getpid() != 1) {
		static const char text[] = "guest: expected to be process 1 of a virtual machine\n";
		(void)!write(STDERR_FILENO, text, sizeof text - 1);
		return 125;
	}
	/* Nothing ends process 1; what is for it is read by relay.c. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < STREAM_COUNT; i++)
		guest.streams.fds[i] = -1;
	if (run(&guest, &failure) < 0)
		report_failure(&guest.streams, &failure);
	relay_wait(&guest.streams);
	machine_end(guest.run.end);
}
