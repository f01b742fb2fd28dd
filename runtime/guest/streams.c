#include "guest/streams.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "guest/wait.h"

#define PORTS_FOLDER "/sys/class/virtio-ports"
#define LINE_MAX_BYTES 1024

static const char *const port_names[] = {
#define PORT_NAME(name, port) port,
	GUEST_STREAMS(PORT_NAME)
#undef PORT_NAME
};

struct port {
	const char *wanted;
	int fd;
};

static bool has_name(const char *device, const char *wanted)
{
	char path[sizeof PORTS_FOLDER + 48], name[64];

	snprintf(path, sizeof path, PORTS_FOLDER "/%.32s/name", device);
	OWNED_FD file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = file < 0 ? -1 : read(file, name, sizeof name - 1);
	if (n < 0)
		return false;
	name[n] = 0;
	name[strcspn(name, "\n")] = 0;
	return strcmp(name, wanted) == 0;
}

static bool open_port(void *context)
{
	struct port *port = context;
	struct dirent *entry;
	char path[48] = "";
	DIR *folder = opendir(PORTS_FOLDER);

	while (folder && (entry = readdir(folder)))
		if (*entry->d_name != '.' && has_name(entry->d_name, port->wanted))
			snprintf(path, sizeof path, "/dev/%.32s", entry->d_name);
	if (folder)
		closedir(folder);
	if (*path)
		port->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return port->fd >= 0;
}

int streams_open(struct streams *streams, enum guest_transport transport, struct failure *failure)
{
	for (size_t i = 0; transport == GUEST_TRANSPORT_VIRTIO && i < STREAM_COUNT; i++) {
		struct port port = { port_names[i], -1 };
		if (!wait_until(open_port, &port))
			return fail(failure, FUSELAGE_E_GUEST_START,
				    "the machine has no port %s: expected virtio-serial",
				    port.wanted);
		streams->fds[i] = port.fd;
	}
	return 0;
}

void stream_write(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		struct pollfd ready = { .fd = fd, .events = POLLOUT };
		ssize_t n = write(fd, bytes, size);
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return;
		} else if (poll(&ready, 1, -1) > 0 && (ready.revents & (POLLHUP | POLLERR))) {
			return; /* nobody is there */
		}
	}
}

void report(const struct streams *streams, char letter, const char *format, ...)
{
	static const char told[] = { GUEST_TO_HOST_FAILURE, GUEST_TO_HOST_NOTICE,
				     GUEST_TO_HOST_EXIT, 0 };
	int ctl = streams->fds[STREAM_CTL];
	bool console = ctl < 0;
	char line[LINE_MAX_BYTES];
	va_list arguments;

	if (console && !strchr(told, letter))
		return;
	size_t used =
		(size_t)snprintf(line, sizeof line, "%s%c ", console ? "fuselage: " : "", letter);
	va_start(arguments, format);
	vsnprintf(line + used, sizeof line - 1 - used, format, arguments);
	va_end(arguments);
	for (char *at = line; (at = strchr(at, '\n'));)
		*at = ' ';
	used = strlen(line);
	line[used++] = '\n';
	stream_write(console ? STDERR_FILENO : ctl, line, used);
}

void report_failure(const struct streams *streams, const struct failure *failure)
{
	report(streams, GUEST_TO_HOST_FAILURE, "%s %s", failure_known(failure->code)->code,
	       failure->text);
}
