#include "sandbox/session.h"

#include <stdbool.h>
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

/* A copy, which lasts as long as the start; NULL for a variable that is not set. Returns false without memory. */
static bool copy_variable(const char *variable, const char **text)
{
	const char *value = getenv(variable);

	*text = value ? strdup(value) : NULL;
	return !value || *text;
}

int session_read(struct session *session)
{
	if (!copy_variable(ENV_HOME, &session->home) ||
	    !copy_variable("XDG_RUNTIME_DIR", &session->runtime) ||
	    !copy_variable("XDG_DATA_HOME", &session->data) ||
	    !copy_variable("XDG_CONFIG_HOME", &session->config) ||
	    !copy_variable("WAYLAND_DISPLAY", &session->wayland) ||
	    !copy_variable("XAUTHORITY", &session->cookie) ||
	    !copy_variable("DBUS_SESSION_BUS_ADDRESS", &session->bus))
		return -1;
	session->uid = getuid();
	session->passed = passed_descriptors();
	return 0;
}
