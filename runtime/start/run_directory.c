#include "start/run_directory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/owned.h"
#include "kernel/mount_point.h"
#include "start/places.h"
#include "generated/names.h"

static bool wanted(const struct invocation *invocation)
{
	for (size_t i = 0; i < invocation->count; i++)
		if (invocation->archives[i].fixed)
			return true;
	return false;
}

static int make_on_host(const struct invocation *invocation, int run, struct failure *failure)
{
	OWNED_FD base = open_root_directory(run, "fuselage");

	if (base < 0)
		return fail_errno(failure, FUSELAGE_E_FIXED_PATH, "%s", FIXED_DIRECTORY);
	for (size_t i = 0; i < invocation->count; i++) {
		const struct archive *archive = &invocation->archives[i];
		if (!archive->fixed)
			continue;
		OWNED_FD fd = open_root_directory(base, archive->name);
		if (fd < 0)
			return fail_errno(failure, FUSELAGE_E_FIXED_PATH, "%s/%s", FIXED_DIRECTORY,
					  archive->name);
	}
	return 0;
}

int run_directory_prepare(const struct invocation *invocation, const struct identity *identity,
			  struct failure *failure)
{
	int result;

	if (identity->kind != NAMESPACE_PRIVILEGED || !wanted(invocation))
		return 0;
	OWNED_FD run = open("/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	privileges_raise(&identity->caller);
	result = make_on_host(invocation, run, failure);
	privileges_lower(&identity->caller);
	return result;
}

int run_directory_cover(struct start *start, struct failure *failure)
{
	const struct invocation *invocation = &start->invocation;
	OWNED struct place *places = calloc(invocation->count + 1, sizeof *places);
	OWNED struct place **missing = calloc(invocation->count + 1, sizeof(struct place *));
	char path[sizeof FIXED_DIRECTORY + NAME_MAX + 1];
	size_t count = 0;
	int result = 0;

	if (start->identity.kind == NAMESPACE_PRIVILEGED || !wanted(invocation))
		return 0;
	if (!places || !missing)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "archives");
	for (size_t i = 0; result == 0 && i < invocation->count; i++) {
		if (!invocation->archives[i].fixed)
			continue;
		snprintf(path, sizeof path, FIXED_DIRECTORY "/%s", invocation->archives[i].name);
		places[i].code = FUSELAGE_E_FIXED_PATH;
		places[i].shown = FIXED_DIRECTORY;
		result = place_find(&places[i], path);
		if (result < 0)
			fail_errno(failure, FUSELAGE_E_FIXED_PATH, "%s", path);
		else if (!place_is_there(&places[i]))
			missing[count++] = &places[i];
	}
	if (result == 0)
		result = places_make(start, missing, count, failure);
	for (size_t i = 0; i < invocation->count; i++)
		free(places[i].path);
	return result;
}
