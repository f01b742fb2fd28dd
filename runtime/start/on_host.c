#include "start/on_host.h"

#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "flavour/flavour.h"
#include "fuse/fusermount.h"
#include "start/janitor.h"
#include "start/maps.h"

const char *on_host_obstacle(const struct start *start)
{
	const struct archive *archive = start->invocation.archives;

	if (flavour_is_runner && start->root)
		return "a root directory takes a namespace";
	if (flavour_is_runner && start->sandbox)
		return "a sandbox takes a namespace";
	/* The runner's archives are private to the command, which is what it is for. */
	if (!start->is_bundle)
		return "the archives of a command are private to it";
	if (archive->use != ARCHIVE_STATIC)
		return "a writable copy is private to its start";
	if (maps_are_wanted(start))
		return "a folder at another path is private to its start";
	return archive->fixed ? "a fixed path is private to its start" : NULL;
}

size_t on_host_ways(const struct start *start, const char *ways[ON_HOST_WAYS])
{
	const char *type = start->mounting.type;
	bool any = strcmp(type, "auto") == 0;
	size_t count = 0;

	if (start->mounting.on_host || start->identity.caller.setuid ||
	    start->identity.kind != NAMESPACE_USER || on_host_obstacle(start))
		return 0;
	if (strcmp(type, "fusermount") == 0 || (any && fusermount_is_there()))
		ways[count++] = "fusermount";
	/* It costs the first start more than a mount, and a place on disk. */
	if (start->needs && (any || strcmp(type, "extract") == 0))
		ways[count++] = "extract";
	return count;
}

/* What can be done on the host: read-only archives at the start's own paths. */
static int check(const struct start *start, struct failure *failure)
{
	/* A command in a sandbox may have none, and is fenced in as well as it can be. */
	if (start->invocation.count == 0 && !(flavour_is_runner && start->sandbox))
		return fail_as(failure, &start->mounting.refusal);
	for (size_t i = 0; i < start->invocation.count; i++) {
		const struct archive *archive = &start->invocation.archives[i];
		bool wanted = archive->format == ARCHIVE_SQUASHFS ||
			      strcmp(start->mounting.type, "fusermount") != 0;
		if (archive->use == ARCHIVE_STATIC && wanted && !archive->fixed)
			continue;
		fail(failure, FUSELAGE_E_MOUNT_REFUSED,
		     "%s: without a namespace there are only read-only %s, and none at %s/ "
		     "(%.300s)",
		     archive->name, wanted ? "archives" : "squashfs images", FIXED_DIRECTORY,
		     start->mounting.refusal.text);
		return fail_cause(failure, start->mounting.refusal.cause);
	}
	return 0;
}

/* Whoever may read the files that they are in may see what is in them. */
static bool are_public(const struct invocation *invocation)
{
	bool all = true;

	for (size_t i = 0; i < invocation->count; i++)
		all &= invocation->archives[i].is_public;
	return all;
}

void on_host_stand(const struct start *start, struct identity *identity)
{
	identity->kind = NAMESPACE_NONE;
	identity->uid = start->identity.caller.uid;
	identity->gid = start->identity.caller.gid;
}

int on_host_begin(struct start *start, struct failure *failure)
{
	/* Nothing here needs root, and all of it stands in the caller's home. */
	if (privileges_forget(&start->identity.caller, failure) < 0)
		return -1;
	on_host_stand(start, &start->identity);
	if (check(start, failure) < 0 ||
	    procdir_make(&start->procdir, &start->identity, start->home,
			 are_public(&start->invocation) ? 0755 : 0700, failure) < 0)
		return -1;
	/* First: whoever is killed while he looks after others leaves nothing himself. */
	if (janitor_start(&start->procdir, &start->identity.caller, &start->mounting.janitor,
			  failure) < 0) {
		on_host_undo(start);
		return -1;
	}
	janitor_sweep(start->procdir.base);
	return 0;
}

void on_host_undo(struct start *start)
{
	share_close(&start->mounting.share);
	if (janitor_finish(&start->procdir))
		janitor_dismiss(&start->mounting.janitor);
	close(steal_fd(&start->procdir.lock));
	start->procdir.fd = -1;
}
