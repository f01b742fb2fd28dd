#include "cli/container_hook.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "kernel/other_namespace.h"
#include "mount/host_mount.h"

#define STATE_MAX (1 << 20) /* bytes of JSON: annotations are the user's */

/* The end of the string that begins at `text`, behind its quote; NULL when it has none. */
static const char *string_end(const char *text)
{
	for (; *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		if (!*text)
			return NULL;
	}
	return text;
}

/* The number that the outermost object calls "pid"; 0 when there is none. */
static long find_pid(const char *text)
{
	int depth = 0;

	for (; *text; text++) {
		if (strchr("{[", *text))
			depth++;
		else if (strchr("}]", *text))
			depth--;
		if (*text != '"')
			continue;
		const char *name = text + 1;
		text = string_end(name);
		if (!text)
			return 0;
		const char *colon = text + 1 + strspn(text + 1, " \t\r\n");
		if (depth == 1 && *colon == ':' && text - name == 3 && memcmp(name, "pid", 3) == 0)
			return strtol(colon + 1, NULL, 10);
	}
	return 0;
}

static long read_pid(void)
{
	OWNED char *state = malloc(STATE_MAX + 1);
	size_t size = 0;
	ssize_t n = state ? 1 : -1;

	for (; n > 0 && size<STATE_MAX; size += n> 0 ? (size_t)n : 0)
		n = read(STDIN_FILENO, state + size, STATE_MAX - size);
	if (n != 0)
		return 0;
	state[size] = 0;
	return find_pid(state);
}

/* Returns its mount namespace, or -1. */
static int find_container(struct failure *failure)
{
	long pid = read_pid();
	char path[64];

	if (pid <= 0)
		return fail(
			failure, FUSELAGE_E_USAGE,
			"--container: expected the state of a container on standard input, with "
			"its pid, as runtimes give it to a createRuntime hook");
	snprintf(path, sizeof path, "/proc/%ld/ns/mnt", pid);
	int namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
	return namespace_fd < 0 ? fail_errno(failure, FUSELAGE_E_NAMESPACE, "%s", path) :
				  namespace_fd;
}

int container_hook_run(struct start *start, struct archive *archive, struct failure *failure)
{
	const char *dir = start->invocation.command[0];
	OWNED_FD container = find_container(failure);
	OWNED_FD mount = container < 0 ? -1 :
					 host_mount_detached(&start->mounting, archive, failure);

	if (mount < 0)
		return -1;
	if (other_namespace_attach(container, mount, dir) < 0)
		return fail_errno(failure, FUSELAGE_E_MOUNT_POINT, "%.600s of the container", dir);
	return 0;
}
