#include "mount/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/descriptors.h"

int handover_socket(struct failure *failure)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int domain = -1;
	socklen_t size = sizeof domain;

	if (!count || strcmp(count, "1") != 0 || (pid && (pid_t)strtoul(pid, NULL, 10) != getpid()))
		return fail(failure, FUSELAGE_E_MOUNT_SOCKET,
			    "expected LISTEN_FDS=1 and LISTEN_PID=%d or none, found \"%.20s\" and "
			    "\"%.20s\"",
			    (int)getpid(), count ? count : "", pid ? pid : "");
	getsockopt(HANDOVER_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	if (domain != AF_UNIX)
		return fail(failure, FUSELAGE_E_MOUNT_SOCKET,
			    "descriptor %d: expected a socket of AF_UNIX", HANDOVER_FD);
	fcntl(HANDOVER_FD, F_SETFD, FD_CLOEXEC);
	return HANDOVER_FD;
}

/* The nearest errno; the text says it exactly. */
static int32_t error_number(const struct failure *failure)
{
	switch (failure->code) {
	case FUSELAGE_E_MOUNT_REFUSED:
	case FUSELAGE_E_ARCHIVE_OPEN:
		return failure->error ? failure->error : EPERM;
	case FUSELAGE_E_OUT_OF_MEMORY:
		return ENOMEM;
	case FUSELAGE_E_FUSE_OPTION:
	case FUSELAGE_E_MOUNT_OPTION:
		return EINVAL;
	default:
		return EBADMSG; /* the archive is at fault */
	}
}

int handover_send(int socket, int mount, const char *strategy, struct failure *failure)
{
	struct {
		int32_t error;
		char text[HANDOVER_TEXT_MAX];
	} answer = { mount < 0 ? error_number(failure) : 0, "" };

	if (mount < 0)
		snprintf(answer.text, sizeof answer.text, "[%s] %.950s",
			 failure_known(failure->code)->code, failure->text);
	else
		snprintf(answer.text, sizeof answer.text, "%s", strategy);
	if (send_message(socket, &answer, sizeof answer.error + strlen(answer.text), mount) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_SOCKET, "descriptor %d", socket);
	return mount < 0 ? -1 : 0;
}
