#include "fuse/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "squashfs/squashfs.h"

#define EVERY_ONE 16u
#define FILE_SHOWN 1024 /* bytes of a path */
#define PRIORITY "<11>" /* syslog(3): LOG_USER | LOG_ERR */

void fuse_log_open(struct fuse_log *log, int image)
{
	const struct sockaddr_un address = { AF_UNIX, "/dev/log" };

	log->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (log->socket < 0)
		return;
	if (connect(log->socket, (const struct sockaddr *)&address, sizeof address) < 0) {
		close(log->socket);
		log->socket = -1;
		return;
	}
	descriptor_path(image, log->image, sizeof log->image);
	log->process = (int)getpid(); /* the sandbox has no such call */
}

static bool is_told(const struct fuse_log *log, unsigned count)
{
	return log->socket >= 0 && (count <= EVERY_ONE || (count & (count - 1)) == 0);
}

bool fuse_log_wants(struct fuse_log *log, int error)
{
	return sqfs_errno(error) == EIO && is_told(log, atomic_load(&log->count) + 1);
}

int fuse_log_failure(struct fuse_log *log, int error, const char *fault, const char *file)
{
	char line[sizeof log->image + SQFS_FAULT_MAX + FILE_SHOWN + 128];

	if (sqfs_errno(error) != EIO)
		return sqfs_errno(error);
	unsigned count = atomic_fetch_add(&log->count, 1) + 1;
	if (!is_told(log, count))
		return EIO;
	int length = snprintf(line, sizeof line,
			      PRIORITY "fuselage[%d]: %s: %.*s%s%s (%s), failure %u", log->process,
			      log->image, FILE_SHOWN, file ? file : "", file ? ": " : "",
			      sqfs_strerror(error), fault, count);
	struct iovec whole = { line, (size_t)length };
	ssize_t n = writev(log->socket, &whole, 1); /* never waits; a full log loses it */
	(void)n;
	return EIO;
}
