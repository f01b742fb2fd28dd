#include "sandbox/session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generated/names.h"

/* sd_listen_fds(3): sockets that a service manager passes to this very process. */
static unsigned passed_descriptors(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	unsigned long number = count ? strtoul(count, NULL, 10) : 0;

	return pid && strtoul(pid, NULL, 10) == (unsigned long)getpid() && number < 4096 ?
		       (unsigned)number :
		       0;
}

int session_read(struct session *session)
{
	const struct {
		const char **text;
		const char *variable;
	} wanted[] = {
		{ &session->home, ENV_HOME },
		{ &session->runtime, "XDG_RUNTIME_DIR" },
		{ &session->data, "XDG_DATA_HOME" },
		{ &session->config, "XDG_CONFIG_HOME" },
		{ &session->wayland, "WAYLAND_DISPLAY" },
		{ &session->cookie, "XAUTHORITY" },
		{ &session->bus, "DBUS_SESSION_BUS_ADDRESS" },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		const char *value = getenv(wanted[i].variable);
		*wanted[i].text = value ? strdup(value) : NULL;
		if (value && !*wanted[i].text)
			return -1;
	}
	session->passed = passed_descriptors();
	return 0;
}
