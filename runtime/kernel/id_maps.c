#include "kernel/id_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/inherited.h"
#include "base/owned.h"

#define NUMBER_SIZE 16

/* A tool and the map that it writes. */
struct job {
	const char *tool;
	const struct id_map *map;
	pid_t process; /* that is mapped */
};

/* The tools are set-id, and the caller's to choose by PATH: they have no rights of ours. */
static int run_tool(void *argument)
{
	const struct job *job = argument;
	char numbers[1 + 3 * ID_MAP_LINES][NUMBER_SIZE];
	char *argv[3 + 3 * ID_MAP_LINES] = { (char *)(uintptr_t)job->tool };
	size_t count = 0;

	snprintf(numbers[count++], NUMBER_SIZE, "%d", (int)job->process);
	for (size_t i = 0; i < job->map->count; i++) {
		snprintf(numbers[count++], NUMBER_SIZE, "%u", job->map->lines[i].inside);
		snprintf(numbers[count++], NUMBER_SIZE, "%u", job->map->lines[i].outside);
		snprintf(numbers[count++], NUMBER_SIZE, "%u", job->map->lines[i].count);
	}
	for (size_t i = 0; i < count; i++)
		argv[1 + i] = numbers[i];
	argv[1 + count] = NULL;
	inherited_reset_signals();
	execvp(job->tool, argv);
	return errno == ENOENT ? 127 : 126;
}

enum outcome {
	MAPPED,
	NO_START, /* the starter has ended */
	NO_TOOL,
	REFUSED
};

struct waiter {
	const struct id_maps *maps;
	pid_t process;
	int go, ours;
};

static int wait_outside(void *argument)
{
	const struct waiter *waiter = argument;
	struct job jobs[] = { { "newuidmap", &waiter->maps->uids, waiter->process },
			      { "newgidmap", &waiter->maps->gids, waiter->process } };
	char byte;

	close(waiter->ours); /* whose end is how it learns that the starter has ended */
	if (read(waiter->go, &byte, 1) != 1)
		return NO_START;
	for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
		int status = child_run(run_tool, &jobs[i]);
		if (status)
			return status == 127 ? NO_TOOL : REFUSED;
	}
	return MAPPED;
}

int id_mapper_start(struct id_mapper *mapper, const struct id_maps *maps, struct failure *failure)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "pipe to newuidmap");
	OWNED_FD theirs = ends[0], ours = ends[1];
	struct waiter waiter = { maps, getpid(), theirs, ours };
	mapper->process = child_start(wait_outside, &waiter);
	if (mapper->process < 0)
		return fail_errno(failure, FUSELAGE_E_NAMESPACE, "process for newuidmap");
	mapper->go = steal_fd(&ours);
	return 0;
}

int id_mapper_finish(struct id_mapper *mapper, struct failure *failure)
{
	ssize_t n = write(mapper->go, "", 1);
	int outcome;

	close(mapper->go);
	outcome = child_collect(mapper->process);
	if (n == 1 && outcome == MAPPED)
		return 0;
	return fail(
		failure, FUSELAGE_E_NAMESPACE, "%s",
		outcome == NO_TOOL ?
			"newuidmap and newgidmap are not installed (Debian: uidmap)" :
			"newuidmap or newgidmap refuses the ids of /etc/subuid and /etc/subgid");
}
