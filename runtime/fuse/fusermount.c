#include "fuse/fusermount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "generated/names.h"

struct helper {
	const struct caller *caller; /* whose rights it has; NULL: this process's */
	char *argv[6]; /* the first is chosen here */
	int socket; /* where it sends the device, or -1 */
	int words;
	bool missing; /* there is no such program */
};

/*
 * FUSERMOUNT_PROG is what AppImages have for a helper in an unusual place. fusermount is what libfuse
 * 2 called it; all speak the same protocol.
 */
static int execute(void *argument)
{
	char **argv = argument;
	const char *chosen = getenv(ENV_FUSERMOUNT_PROG);

	if (chosen && *chosen) {
		argv[0] = (char *)(uintptr_t)chosen;
		execvp(chosen, argv);
		return 127;
	}
	argv[0] = (char *)"fusermount3";
	execvp(argv[0], argv);
	argv[0] = (char *)"fusermount";
	execvp(argv[0], argv);
	return 127;
}

static bool is_helper(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 &&
	       (st.st_mode & S_ISUID) && access(path, X_OK) == 0;
}

bool fusermount_is_there(void)
{
	const char *chosen = getenv(ENV_FUSERMOUNT_PROG);
	const char *path = getenv("PATH");
	char file[PATH_MAX];

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0 || access(FUSE_DEVICE, F_OK) < 0)
		return false;
	if (chosen && *chosen)
		return is_helper(chosen);
	while (path && *path) {
		size_t length = strcspn(path, ":");
		int n = snprintf(file, sizeof file, "%.*s/fusermount3", (int)length, path);
		if (*path == '/' && n < (int)sizeof file && is_helper(file))
			return true;
		path += length + (path[length] == ':');
	}
	return false;
}

/* A program that is executed is an ordinary child: of this process, not of the app's to be. */
static int helper_main(void *argument)
{
	struct helper *helper = argument;
	struct failure ignored = { 0 };
	char number[16];

	if ((helper->caller && privileges_drop(helper->caller, &ignored) < 0) ||
	    dup2(helper->words, STDOUT_FILENO) < 0 || dup2(helper->words, STDERR_FILENO) < 0)
		return 1;
	if (helper->socket >= 0) {
		fcntl(helper->socket, F_SETFD, 0);
		snprintf(number, sizeof number, "%d", helper->socket);
		setenv("_FUSE_COMMFD", number, 1);
	}
	inherited_reset_signals();
	return child_execute(execute, helper->argv);
}

/* Starts it; its words come out of *words, where there is nobody to say any when it has ended. */
static pid_t start_helper(struct helper *helper, int *words)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*words = ends[0];
	helper->words = ends[1];
	pid_t child = child_start(helper_main, helper);
	close(ends[1]);
	return child;
}

/* Returns its exit status, and its own words or ours in one line. */
static int end_helper(struct helper *helper, pid_t child, int words,
		      char message[FUSERMOUNT_MESSAGE_MAX])
{
	ssize_t n = child < 0 ? 0 : read(words, message, FUSERMOUNT_MESSAGE_MAX - 1);
	int status = child_collect(child);

	if (status < 0)
		n = snprintf(message, FUSERMOUNT_MESSAGE_MAX, "%s", strerror(errno));
	helper->missing = status == 127 && n <= 0; /* a program's loader says the same, in words */
	if (helper->missing) {
		const char *chosen = getenv(ENV_FUSERMOUNT_PROG);
		bool named = chosen && *chosen;
		n = snprintf(message, FUSERMOUNT_MESSAGE_MAX, "%s%.300s",
			     named ? ENV_FUSERMOUNT_PROG " names no program: " :
				     "fusermount3 is not installed (package fuse3)",
			     named ? chosen : "");
	}
	message[n > 0 ? n : 0] = 0;
	message[strcspn(message, "\n")] = 0;
	return status;
}

/* libfuse has these words in each of its versions, and no others for them. */
static const struct {
	const char *words;
	enum fuselage_cause cause;
} reasons[] = {
	{ "could not determine username", FUSELAGE_CAUSE_FUSERMOUNT_USER },
	{ "too many FUSE filesystems", FUSELAGE_CAUSE_FUSERMOUNT_LIMIT },
	{ "/etc/mtab", FUSELAGE_CAUSE_FUSERMOUNT_MTAB },
	{ "mount failed: Operation not permitted", FUSELAGE_CAUSE_FUSERMOUNT_SETID },
};

/* What keeps every helper from mounting is looked for itself; the rest only its words tell. */
static enum fuselage_cause cause_of(const struct helper *helper, const char *message)
{
	if (helper->missing)
		return FUSELAGE_CAUSE_FUSERMOUNT_MISSING;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) > 0)
		return FUSELAGE_CAUSE_NO_NEW_PRIVS;
	if (access(FUSE_DEVICE, F_OK) < 0)
		return FUSELAGE_CAUSE_FUSE_MISSING;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strstr(message, reasons[i].words))
			return reasons[i].cause;
	return access(FUSE_DEVICE, R_OK | W_OK) < 0 ? FUSELAGE_CAUSE_FUSE_CLOSED :
						      FUSELAGE_CAUSE_FUSERMOUNT_REFUSED;
}

int fusermount_mount(const struct caller *caller, const char *target, const char *options,
		     struct fusermount *mounting, struct failure *failure)
{
	char message[FUSERMOUNT_MESSAGE_MAX];
	int sockets[2];

	*mounting = (struct fusermount){ -1, -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_REFUSED, "socket to fusermount3");
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	struct helper helper = {
		caller,
		{ NULL, (char *)"-o", (char *)(uintptr_t)options, (char *)"--", (char *)(uintptr_t)target },
		theirs,
		-1,
		false,
	};
	mounting->child = start_helper(&helper, &mounting->words);
	close(steal_fd(&theirs));
	OWNED_FD device = receive_descriptor(ours);
	if (device >= 0)
		return steal_fd(&device);
	int status = end_helper(&helper, mounting->child, mounting->words, message);
	mounting->child = -1;
	fusermount_end(mounting);
	fail(failure, FUSELAGE_E_MOUNT_REFUSED, "%s%s",
	     status == 127 ? "" : "fusermount3 failed: ", *message ? message : "no reason given");
	return fail_cause(failure, cause_of(&helper, message));
}

void fusermount_end(struct fusermount *mounting)
{
	child_collect(mounting->child);
	if (mounting->words >= 0)
		close(mounting->words);
	*mounting = (struct fusermount){ -1, -1 };
}

int fusermount_unmount(const char *target, bool lazy, char message[FUSERMOUNT_MESSAGE_MAX])
{
	struct helper helper = {
		NULL,
		{ NULL, (char *)(lazy ? "-uz" : "-u"), (char *)"--", (char *)(uintptr_t)target },
		-1,
		-1,
		false,
	};

	OWNED_FD words = -1;
	pid_t child = start_helper(&helper, &words);

	return end_helper(&helper, child, words, message) == 0 ? 0 : -1;
}
