/* An image, and what a runner is asked to do with it: mount/handover.h has the other side. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "base/descriptors.h"
#include "base/inherited.h"
#include "base/owned.h"
#include "library/answer.h"
#include "library/fuselage-mount.h"
#include "library/program.h"

struct fuselage_image {
	int fd;
	char *name;
	const char *program;
	fuselage_message *message;
	void *context;
};

/* The runner's descriptors. */
enum {
	ANSWER = HANDOVER_FD,
	IMAGE,
	DEVICE,
	PROGRAM
};

struct question {
	int fds[PROGRAM - ANSWER + 1]; /* which become those; -1: none */
	char *argv[5];
	char *environment[3];
};

/* Takes `fd`, if it is one. */
static struct fuselage_image *new_image(int fd, const char *name)
{
	struct fuselage_image *image = fd < 0 ? NULL : calloc(1, sizeof *image);
	char *copy = image ? strdup(name) : NULL;

	if (!copy) {
		int error = errno;
		free(image);
		if (fd >= 0)
			close(fd);
		errno = error;
		return NULL;
	}
	image->fd = fd;
	image->name = copy;
	return image;
}

struct fuselage_image *fuselage_image_open(const char *path)
{
	return new_image(open(path, O_RDONLY | O_CLOEXEC), path);
}

struct fuselage_image *fuselage_image_from(int fd, const char *name)
{
	return new_image(fcntl(fd, F_DUPFD_CLOEXEC, 0), name && *name ? name : "image");
}

void fuselage_image_close(struct fuselage_image *image)
{
	if (!image)
		return;
	close(image->fd);
	free(image->name);
	free(image);
}

void fuselage_image_listen(struct fuselage_image *image, fuselage_message *message, void *context)
{
	image->message = message;
	image->context = context;
}

void fuselage_image_use_program(struct fuselage_image *image, const char *path)
{
	image->program = path;
}

/* Out of each other's way first. All others are closed, and standard ones lead nowhere. */
static int arrange(struct question *question)
{
	for (int i = 0; i <= PROGRAM - ANSWER; i++) {
		int *fd = &question->fds[i];
		if (*fd >= 0 && (*fd = fcntl(*fd, F_DUPFD, PROGRAM + 1)) < 0)
			return -1;
	}
	for (int i = 0; i <= PROGRAM - ANSWER; i++) {
		close(ANSWER + i);
		if (question->fds[i] >= 0 && dup2(question->fds[i], ANSWER + i) < 0)
			return -1;
	}
	close_from(PROGRAM + 1);
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (nowhere < 0)
			close(fd); /* the runner knows what to do (base/inherited.h) */
		else if (dup2(nowhere, fd) < 0)
			return -1;
	return fcntl(PROGRAM, F_SETFD, FD_CLOEXEC);
}

/* Exec takes the capabilities of a process whose user is not root, unless they are ambient. */
static void keep_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	const uint32_t bit = UINT32_C(1) << CAP_SYS_ADMIN;

	if (geteuid() == 0 || syscall(SYS_capget, &header, data) < 0 || !(data[0].effective & bit))
		return;
	data[0].inheritable |= bit;
	if (syscall(SYS_capset, &header, data) == 0)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0);
}

static int execute(void *argument)
{
	struct question *question = argument;

	if (arrange(question) < 0)
		return errno;
	keep_rights();
	inherited_reset_signals();
	syscall(SYS_execveat, PROGRAM, "", question->argv, question->environment, AT_EMPTY_PATH);
	return errno;
}

/* Between the caller and the runner, whose end would be a SIGCHLD (base/child.h). */
static int supervise(void *argument)
{
	return child_run(execute, argument);
}

/* Returns 0 and an answer, or -1 and errno. */
static int put(struct question *question, struct answer *answer)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -1;
	OWNED_FD ours = sockets[0], theirs = sockets[1];
	question->fds[ANSWER - ANSWER] = theirs;
	/* No handler of the caller's runs in a copy of it. */
	uint64_t mask = inherited_mask(SIG_BLOCK, UINT64_MAX);
	pid_t child = child_start(supervise, question);
	int error = errno;
	inherited_mask(SIG_SETMASK, mask);
	close(steal_fd(&theirs));
	if (child < 0) {
		errno = error;
		return -1;
	}
	int result = answer_receive(ours, answer);
	error = errno;
	int status = child_collect(child);
	/* What kept the runner from its start; its own failures come as answers, or as FUSELAGE_FAILED. */
	if (result < 0 && error == ECONNRESET && status > 0 && status < ECANCELED)
		error = status;
	errno = error;
	return result;
}

static char *option(const char *name, const char *value)
{
	size_t length = strlen(name);
	char *text = malloc(length + strlen(value) + 1);

	if (text) {
		memcpy(text, name, length);
		strcpy(text + length, value);
	}
	return text;
}

/* The ways to a detached mount; those that a runner does not know would be a wrong call of it. */
static bool is_type(const char *type)
{
	return strcmp(type, "auto") == 0 || strcmp(type, "loop") == 0 || strcmp(type, "fuse") == 0;
}

/* Asks with the arguments of a runner. Returns what `put` does. */
static int ask(struct fuselage_image *image, int device, const char *type, const char *options,
	       struct answer *answer)
{
	char name[] = "fuselage", two[] = "LISTEN_FDS=2", three[] = "LISTEN_FDS=3";
	char names[] = "LISTEN_FDNAMES=answer:image:fuse";
	OWNED_FD program = image->program ? open(image->program, O_RDONLY | O_CLOEXEC) :
					    program_in_memory();
	OWNED char *file = option("--mount-fd=", image->name);
	OWNED char *how = option("--mount-type=", type ? type : "auto");
	OWNED char *words = option("--options=", options && *options ? options : "defaults");
	struct question question = {
		.fds = { -1, image->fd, device, program },
		.argv = { name, file, how, words },
		.environment = { device < 0 ? two : three, names },
	};

	if (program < 0)
		return -1;
	if (!file || !how || !words) {
		errno = ENOMEM;
		return -1;
	}
	return put(&question, answer);
}

/* Returns the descriptor that was sent, or 0 where none is wanted; or -1. */
static int take(const struct fuselage_image *image, const struct answer *answer, bool wanted)
{
	int error = answer->error;

	if (!error && wanted && answer->mount < 0)
		error = EPROTO;
	if (answer->mount >= 0 && (error || !wanted))
		close(answer->mount);
	if (image->message)
		image->message(image->context, error, answer->text);
	errno = error;
	return error ? -1 : wanted ? answer->mount : 0;
}

int fuselage_mount_detached(struct fuselage_image *image, const char *type, const char *options)
{
	struct answer answer;

	if (!is_type(type ? type : "auto")) {
		errno = EINVAL;
		return -1;
	}
	return ask(image, -1, type, options, &answer) < 0 ? -1 : take(image, &answer, true);
}

int fuselage_mount_serve(struct fuselage_image *image, int device, const char *options)
{
	struct answer answer;

	if (device < 0) {
		errno = EBADF;
		return -1;
	}
	return ask(image, device, "fuse", options, &answer) < 0 ? -1 : take(image, &answer, false);
}
