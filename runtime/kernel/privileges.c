#include "kernel/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/child.h"
#include "base/descriptors.h"
#include "base/owned.h"

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 && (data[0].permitted | data[1].permitted);
}

int privileges_begin(struct caller *caller, struct failure *failure)
{
	uid_t effective = geteuid();

	caller->uid = getuid();
	caller->gid = getgid();
	caller->setuid = effective == 0 && caller->uid != 0;
	if (effective != caller->uid && !caller->setuid)
		return fail(failure, FUSELAGE_E_PRIVILEGES,
			    "started setuid to user %u: expected root or none",
			    (unsigned)effective);
	if (!caller->setuid && caller->uid != 0 && getauxval(AT_SECURE) && has_capabilities())
		return fail(failure, FUSELAGE_E_PRIVILEGES,
			    "started with capabilities of the file (setcap): expected none");
	/* A setgid bit gives nothing that is needed here. */
	if (getegid() != caller->gid && setresgid(caller->gid, caller->gid, caller->gid) < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "group of the caller");
	if (!caller->setuid)
		return 0;
	if (seteuid(caller->uid) < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "user of the caller");
	return 0;
}

static void set_effective(uid_t uid)
{
	/* Not being who the next line is written for is nothing to go on from. */
	if (seteuid(uid) < 0 || geteuid() != uid)
		__builtin_trap();
}

void privileges_raise(const struct caller *caller)
{
	if (caller->setuid)
		set_effective(0);
}

void privileges_lower(const struct caller *caller)
{
	int error = errno; /* of the call that it was for */

	if (caller->setuid)
		set_effective(caller->uid);
	errno = error;
}

int privileges_drop(const struct caller *caller, struct failure *failure)
{
	uid_t uids[3];
	gid_t gids[3];

	if (!caller->setuid)
		return 0;
	set_effective(0);
	if (setresgid(caller->gid, caller->gid, caller->gid) < 0 ||
	    setresuid(caller->uid, caller->uid, caller->uid) < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "root cannot be given up");
	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "ids cannot be read back");
	for (int i = 0; i < 3; i++)
		if (uids[i] != caller->uid || gids[i] != caller->gid)
			return fail(failure, FUSELAGE_E_PRIVILEGES, "root was not given up");
	if (setuid(0) == 0 || seteuid(0) == 0)
		return fail(failure, FUSELAGE_E_PRIVILEGES, "root can be taken back");
	return 0;
}

int privileges_forget(struct caller *caller, struct failure *failure)
{
	if (privileges_drop(caller, failure) < 0)
		return -1;
	/* The kernel keeps files of /proc/self from the owner of a process that was root. */
	if (caller->setuid)
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	caller->setuid = false;
	return 0;
}

struct isolated {
	const struct caller *caller;
	int (*work)(void *, struct failure *);
	void *context;
	int socket;
};

/* What the process sends back: first the result with its descriptor, if any, then the failure. */
static int isolated_main(void *argument)
{
	const struct isolated *job = argument;
	struct failure failure = { 0 };
	int fd = privileges_drop(job->caller, &failure) < 0 ? -1 :
							      job->work(job->context, &failure);

	if (fd > STDERR_FILENO && send_descriptor(job->socket, fd) < 0)
		fd = fail_errno(&failure, FUSELAGE_E_PRIVILEGES, "result of an isolated process");
	if (fd >= 0)
		return fd > STDERR_FILENO;
	return failure_send(job->socket, &failure) < 0 ? 3 : 2;
}

int privileges_isolated(const struct caller *caller, int (*work)(void *, struct failure *),
			void *context, struct failure *failure)
{
	int sockets[2];
	struct failure theirs = { 0 };

	if (!caller->setuid)
		return work(context, failure);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "socket of an isolated process");
	OWNED_FD ours = sockets[0], other = sockets[1];
	struct isolated job = { caller, work, context, other };
	int status = child_run(isolated_main, &job);
	if (status < 0)
		return fail_errno(failure, FUSELAGE_E_PRIVILEGES, "isolated process");
	if (status == 0)
		return 0;
	close(steal_fd(&other));
	if (status == 1)
		return receive_descriptor(ours);
	if (failure_receive(ours, &theirs))
		return fail_as(failure, &theirs);
	return fail(failure, FUSELAGE_E_PRIVILEGES, "an isolated process ended with status %d",
		    status);
}
