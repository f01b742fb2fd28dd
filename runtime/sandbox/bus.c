#include "sandbox/bus.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "kernel/trees.h"

#define SOCKET "bus"
#define PATHS "unix:path="
#define ABSTRACT "unix:abstract="
#define TALK "--talk="

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/*
 * This runs outside of the sandbox, so nothing of it is the bundle's to say: it is found by a path of its own, where no
 * folders of the bundle lie over the machine's, and gets none of the variables that a bundle sets for its app.
 */
static const char *const programs[] = { "/usr/bin/xdg-dbus-proxy", "/usr/local/bin/xdg-dbus-proxy",
					"/run/current-system/sw/bin/xdg-dbus-proxy" };

static const char *find_proxy(void)
{
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (access(programs[i], X_OK) == 0)
			return programs[i];
	return NULL;
}

/* Where the bus is, of PATH_MAX bytes; empty for one at no path. Returns false for a session without one. */
static bool find_bus(const struct session *session, char *path)
{
	struct stat st;
	const char *address = session->bus;

	*path = 0;
	if (address && strncmp(address, PATHS, sizeof PATHS - 1) != 0)
		return *address != 0;
	if (address)
		snprintf(path, PATH_MAX, "%.*s", (int)strcspn(address + sizeof PATHS - 1, ",;"),
			 address + sizeof PATHS - 1);
	else if (session->runtime)
		snprintf(path, PATH_MAX, "%s/" SOCKET, session->runtime);
	return *path && stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

const char *bus_obstacle(const struct sandbox *sandbox, const struct sandbox_start *start,
			 int landlock)
{
	const char *address = sandbox->session.bus;
	char path[PATH_MAX];

	if (sandbox->rules.bus_count == 0 || !find_bus(&sandbox->session, path))
		return NULL;
	if (start->covered)
		return "folders of the bundle lie over the machine's (--map), which may hide the "
		       "machine's own xdg-dbus-proxy";
	if (!find_proxy())
		return "no xdg-dbus-proxy in /usr/bin (Debian: xdg-dbus-proxy), so the session's "
		       "bus is out of reach";
	if (*path && !(address && strpbrk(address, "%;")))
		return NULL;
	if (!address || strncmp(address, ABSTRACT, sizeof ABSTRACT - 1) != 0 ||
	    strchr(address, ';'))
		return "DBUS_SESSION_BUS_ADDRESS is not of the form unix:path=PATH";
	if (landlock < 6 || rules_have(&sandbox->rules, RULE_X11))
		return "the bus is at an abstract socket, which is open here";
	return NULL;
}

struct proxy {
	const char *program;
	const char *directory;
	char **arguments;
	int app; /* a pidfd of this process */
	int ready[2]; /* the proxy writes to the second, and ends when nobody holds the first */
};

static void run_proxy(const struct proxy *proxy)
{
	static char *const no_variables[] = { NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	inherited_reset_signals();
	if (dup2(2, 3) < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(null, 2) < 0 || chdir(proxy->directory) < 0)
		_exit(1);
	close_from(4);
	execve(proxy->program, proxy->arguments, no_variables);
	_exit(1);
}

/* Lasts as long as the app, so that the proxy does. */
static int guard(void *argument)
{
	const struct proxy *proxy = argument;
	struct pollfd ends[] = { { .fd = 0, .events = POLLIN }, { .fd = 1 } };

	prctl(PR_SET_NAME, "fuselage-bus", 0, 0, 0);
	inherited_leave();
	/* In the app's the bus is about to be hidden. */
	if (unshare(CLONE_NEWNS) < 0 || dup2(proxy->app, 0) < 0 || dup2(proxy->ready[0], 1) < 0 ||
	    dup2(proxy->ready[1], 2) < 0)
		return 1;
	close_from(3);
	pid_t child = fork();
	if (child == 0)
		run_proxy(proxy);
	close(2);
	while (child > 0 && poll(ends, 2, -1) < 0) {
	}
	close(1);
	if (child > 0)
		waitpid(child, NULL, 0);
	return 0;
}

/* --fd=3 ADDRESS SOCKET --filter --talk=NAME... One piece of memory: the pointers, and their texts behind them. */
static char **arguments_of(const struct sandbox *sandbox, const char *program, const char *path)
{
	const struct rules *rules = &sandbox->rules;
	const char *address = sandbox->session.bus;
	size_t pointers = rules->bus_count + 7, size = sizeof PATHS + strlen(path), count = 0;

	for (size_t i = 0; i < rules->bus_count; i++)
		size += sizeof TALK + rules->bus_lengths[i];
	char **all = malloc(pointers * sizeof *all + size);
	if (!all)
		return NULL;
	char *text = (char *)(all + pointers);
	const char *const fixed[] = { program, "--fd=3", address ? address : text, SOCKET,
				      "--filter" };
	for (; count < sizeof fixed / sizeof *fixed; count++)
		all[count] = (char *)(uintptr_t)fixed[count];
	text = stpcpy(stpcpy(text, PATHS), path) + 1;
	for (size_t i = 0; i < rules->bus_count; i++) {
		all[count++] = text;
		text = mempcpy(stpcpy(text, TALK), rules->bus[i], rules->bus_lengths[i]);
		*text++ = '\0';
	}
	all[count] = NULL;
	return all;
}

/* Returns whether it listens. */
static bool start_proxy(struct proxy *proxy)
{
	char ready;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	OWNED_FD in = ends[0], out = ends[1];
	OWNED_FD app = (int)syscall(SYS_pidfd_open, getpid(), 0);
	proxy->app = app;
	proxy->ready[0] = in;
	proxy->ready[1] = out;
	if (app < 0 || child_leave(guard, proxy) < 0)
		return false;
	close(steal_fd(&out));
	return read(in, &ready, 1) == 1;
}

int bus_begin(const struct sandbox *sandbox, const struct sandbox_start *start, struct facts *facts,
	      struct grants *grants, struct failure *failure)
{
	const char *scratch = start->scratch[0];
	char path[PATH_MAX], real[PATH_MAX] = "";
	struct proxy proxy = { .directory = scratch };

	grants->bus = grants->bus_cover = -1;
	facts->no_bus = bus_obstacle(sandbox, start, facts->landlock);
	if (sandbox->rules.bus_count == 0 || facts->no_bus || !facts->views ||
	    !find_bus(&sandbox->session, path))
		return 0;
	/* What is covered is the socket itself, and not a link to it. */
	if (*path && !realpath(path, real)) {
		facts->no_bus = "the bus cannot be looked up";
		return 0;
	}
	proxy.program = find_proxy();
	OWNED char **arguments = arguments_of(sandbox, proxy.program, path);
	proxy.arguments = arguments;
	grants->bus_real = strdup(real);
	grants->bus_socket = malloc(strlen(scratch) + sizeof "/" SOCKET);
	if (!proxy.arguments || !grants->bus_real || !grants->bus_socket)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "names on the bus");
	stpcpy(stpcpy(grants->bus_socket, scratch), "/" SOCKET);
	if (start_proxy(&proxy)) {
		grants->bus = tree_open(AT_FDCWD, grants->bus_socket);
		grants->bus_cover = tree_open(AT_FDCWD, grants->bus_socket);
	}
	if (grants->bus < 0 || grants->bus_cover < 0)
		facts->no_bus = "xdg-dbus-proxy did not start";
	return 0;
}

void bus_place(const struct grants *grants, char *path)
{
	snprintf(path, PATH_MAX, "%s/" SOCKET, grants->runtime ? grants->runtime : "/run");
}

int bus_name(const struct grants *grants)
{
	char path[PATH_MAX], text[PATH_MAX + sizeof PATHS];

	if (grants->bus < 0)
		return 0;
	bus_place(grants, path);
	snprintf(text, sizeof text, PATHS "%s", path);
	return setenv("DBUS_SESSION_BUS_ADDRESS", text, 1);
}
