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

/* What the words of LISTEN_FDNAMES stand for; the first is the socket's and free. */
static int *place_of(struct handover *handover, const char *word, size_t length)
{
	if (length == strlen("image") && memcmp(word, "image", length) == 0)
		return &handover->image;
	if (length == strlen("fuse") && memcmp(word, "fuse", length) == 0)
		return &handover->device;
	return NULL;
}

/* Descriptors behind the socket. */
static int take_more(struct handover *handover, int count, struct failure *failure)
{
	const char *names = getenv("LISTEN_FDNAMES");
	const char *word = names ? names : "";

	for (int i = 1; i < count; i++) {
		word += strcspn(word, ":");
		word += *word == ':';
		int *place = place_of(handover, word, strcspn(word, ":"));
		/* What was given is not close-on-exec; what this program has opened is. */
		if (!place || *place >= 0 || fcntl(HANDOVER_FD + i, F_GETFD) != 0 ||
		    fcntl(HANDOVER_FD + i, F_SETFD, FD_CLOEXEC) < 0)
			return fail(
				failure, FUSELAGE_E_MOUNT_SOCKET,
				"descriptor %d: expected one that LISTEN_FDNAMES calls image or "
				"fuse, found \"%.40s\"",
				HANDOVER_FD + i, names ? names : "");
		*place = HANDOVER_FD + i;
	}
	return 0;
}

int handover_take(struct handover *handover, struct failure *failure)
{
	const char *count = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int domain = -1;
	socklen_t size = sizeof domain;

	*handover = (struct handover){ .socket = HANDOVER_FD, .image = -1, .device = -1 };
	if (!count || *count < '1' || *count > '3' || count[1] ||
	    (pid && (pid_t)strtoul(pid, NULL, 10) != getpid()))
		return fail(failure, FUSELAGE_E_MOUNT_SOCKET,
			    "expected LISTEN_FDS=1 to 3 and LISTEN_PID=%d or none, found \"%.20s\" "
			    "and \"%.20s\"",
			    (int)getpid(), count ? count : "", pid ? pid : "");
	getsockopt(HANDOVER_FD, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	if (domain != AF_UNIX)
		return fail(failure, FUSELAGE_E_MOUNT_SOCKET,
			    "descriptor %d: expected a socket of AF_UNIX", HANDOVER_FD);
	fcntl(HANDOVER_FD, F_SETFD, FD_CLOEXEC);
	return take_more(handover, *count - '0', failure);
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
	case FUSELAGE_E_MOUNT_SOCKET:
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
	} answer = { strategy ? 0 : error_number(failure), "" };

	if (!strategy)
		snprintf(answer.text, sizeof answer.text, "[%s] %.950s",
			 failure_known(failure->code)->code, failure->text);
	else
		snprintf(answer.text, sizeof answer.text, "%s", strategy);
	if (send_message(socket, &answer, sizeof answer.error + strlen(answer.text), mount) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_SOCKET, "descriptor %d", socket);
	return strategy ? 0 : -1;
}
