#include "share/proof.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owned.h"

/* PID_MAX_LIMIT of Linux is 2^22. Above it are the name and, in the highest bit, the side. */
#define PID_BITS 22
#define SIDE_BIT 62

int proof_open(const char *home, uid_t uid)
{
	char path[PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof path, "%s/share.lock", home);
	/* NONBLOCK: whoever can read the file could have a lease on it, which to break takes long. */
	OWNED_FD file =
		!*home ? -1 :
			 open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != uid ||
	    (st.st_mode & (S_IRWXG | S_IRWXO)))
		return -1;
	return steal_fd(&file);
}

static bool call(int file, int command, enum proof_side side, const void *name, pid_t pid)
{
	uint64_t byte = 0;

	memcpy(&byte, name, PROOF_NAME);
	byte = byte << PID_BITS | (uint64_t)side << SIDE_BIT | (uint64_t)pid;
	struct flock lock = { .l_type = F_WRLCK, .l_start = (off_t)byte, .l_len = 1 };
	/* A longer one was not taken for this. */
	return fcntl(file, command, &lock) == 0 &&
	       (command == F_SETLK ||
		(lock.l_type == F_WRLCK && lock.l_pid == pid && lock.l_len == 1));
}

bool proof_give(int file, enum proof_side side, const void *name)
{
	return call(file, F_SETLK, side, name, getpid());
}

bool proof_given(int file, enum proof_side side, const void *name, pid_t pid)
{
	/* No process has the number 0: that one cannot be seen from here. */
	return pid > 0 && call(file, F_GETLK, side, name, pid);
}

pid_t proof_peer(int socket, uid_t uid)
{
	struct ucred peer;
	socklen_t size = sizeof peer;

	return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == uid ?
		       peer.pid :
		       0;
}
