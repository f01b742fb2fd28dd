#include "root/fenced.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/owned.h"
#include "kernel/trees.h"
#include "root/paths.h"

int fenced_check(const struct sandbox *sandbox, struct failure *failure)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < sandbox->rules.path_count; i++) {
		const struct rule_path *rule = &sandbox->rules.paths[i];
		if (rule->place != PLACE_PATH || rule->length == 1)
			continue;
		memcpy(path, rule->path, rule->length);
		path[rule->length] = 0;
		if (path_is_of_system(path))
			return fail(failure, FUSELAGE_E_SANDBOX_ROOT,
				    "fs %.600s %s: with the image as root directory that is the "
				    "image's own",
				    path, rule->write ? "rw" : "ro");
	}
	return 0;
}

/* What rules allow at a path of the machine's. */
static unsigned rights_at(const struct grants *grants, const char *path)
{
	unsigned rights = 0;

	for (size_t i = 0; i < grants->count; i++)
		if (grant_is_in(path, grants->list[i].path))
			rights |= grants->list[i].rights;
	return rights;
}

/* What the user asks for is the user's to have, where no other word denies it. */
static int check_denied(const char *option, const char *given, const char *real,
			const struct root_start *root, struct failure *failure)
{
	const char *who = inside_denied_by(root->inside, root->sandbox, real);

	return who ? fail(failure, FUSELAGE_E_SANDBOX_ROOT,
			  "%s %.600s: denied by what %.300s says of the sandbox", option, given,
			  who) :
		     0;
}

/* What is kept is written to the machine: where the bundle says it is to be, a rule has to allow that. */
static int check_persist(const struct root_start *root, struct failure *failure)
{
	char path[PATH_MAX];
	unsigned both = GRANT_READ | GRANT_WRITE;

	if (!root->options.persist)
		return 0;
	if (descriptor_path(root->persist.directory, path, sizeof path) < 0)
		return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "--persist %.600s",
				  root->options.persist);
	if (!root->options.recorded_persist)
		return check_denied("--persist", root->options.persist, path, root, failure);
	if ((rights_at(&root->inside->grants, path) & both) == both)
		return 0;
	return fail(failure, FUSELAGE_E_SANDBOX_ROOT,
		    "--persist %.600s is recorded in the bundle, and no rule allows to write there",
		    root->options.persist);
}

int fenced_collect(const struct root_start *root, const char *name, struct failure *failure)
{
	root->inside->name = name;
	if (inside_collect(root->inside, root->sandbox, failure) < 0 ||
	    check_persist(root, failure) < 0)
		return -1;
	if (root->options.contain)
		root->inside->grants.count = 0;
	return (int)root->inside->grants.count;
}

/* Nothing: the image's own, or what is inside already. */
static bool is_left_out(const struct grants *grants, size_t index)
{
	const struct grant *grant = &grants->list[index];
	bool device = grant->rights & GRANT_DEVICE;

	if (!device && path_is_of_system(grant->path))
		return true;
	/* Behind the last one that it is in, whose rights it has anyway. */
	for (size_t i = index; i-- > 0;)
		if (grant_is_in(grant->path, grants->list[i].path))
			return grant->rights == grants->list[i].rights;
	return false;
}

static void restrict_to(struct place *place, unsigned rights)
{
	place->read_only |= !(rights & GRANT_WRITE);
	place->no_exec |= !(rights & GRANT_EXECUTE);
}

int fenced_add(struct sources *sources, const struct root_start *root, struct failure *failure)
{
	const struct grants *grants = &root->inside->grants;
	struct stat st;

	for (size_t i = 0; i < grants->count; i++) {
		const struct grant *grant = &grants->list[i];
		if (is_left_out(grants, i))
			continue;
		int tree = tree_open(AT_FDCWD, grant->path);
		if (tree < 0 || fstat(tree, &st) < 0)
			return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "%.600s of this machine",
					  grant->path);
		struct place *place = &sources->places[sources->count++];
		*place = (struct place){ .tree = tree,
					 .path = grant->path,
					 .kind = PLACE_GIVEN,
					 .directory = S_ISDIR(st.st_mode) };
		restrict_to(place, grant->rights);
		/* Whoever may go into a directory of another's may not see its own there. */
		sources->home |= grants->home && strcmp(grants->home, grant->path) == 0;
		sources->cwd |= grants->cwd && grant_is_in(grants->cwd, grant->path);
	}
	if ((grants->home && sources->home && !(sources->texts[0] = strdup(grants->home))) ||
	    (grants->cwd && sources->cwd && !(sources->texts[1] = strdup(grants->cwd))))
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "directories of the user");
	return 0;
}

int fenced_volume(struct place *place, const struct root_start *root, const char *host,
		  bool recorded, struct failure *failure)
{
	OWNED char *real = realpath(host, NULL);
	bool host_runs = rules_have(&root->sandbox->rules, RULE_EXEC_HOST);

	if (!real)
		return fail_errno(failure, FUSELAGE_E_ROOT_SOURCE, "%.600s of this machine", host);
	if (recorded) {
		unsigned rights = rights_at(&root->inside->grants, real);
		if (!(rights & GRANT_READ))
			close(steal_fd(&place->tree));
		restrict_to(place, rights);
		return 0;
	}
	if (check_denied("-v", host, real, root, failure) < 0)
		return -1;
	place->no_exec |= !host_runs;
	return 0;
}
