#include "sandbox/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/owned.h"
#include "sandbox/facts.h"
#include "sandbox/filter.h"
#include "sandbox/namespaces.h"

int inside_enter_namespaces(struct inside *inside, const struct sandbox *sandbox,
			    struct failure *failure)
{
	inside->facts = (struct facts){
		.landlock = landlock_version(),
		.filter = filter_is_there(),
		.views = true,
		.pid = rules_have(&sandbox->rules, RULE_PID),
		.no_bus = sandbox->rules.bus_count ? INSIDE_NO_BUS : NULL,
	};
	sandbox_unshare(sandbox, &inside->facts);
	return facts_refuse(sandbox, &inside->facts, failure);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct grant *)a)->path, ((const struct grant *)b)->path);
}

int inside_collect(struct inside *inside, const struct sandbox *sandbox, struct failure *failure)
{
	struct grants *grants = &inside->grants;

	if (grants_collect_inside(grants, sandbox, inside->name, failure) < 0)
		return -1;
	qsort(grants->list, grants->count, sizeof *grants->list, compare);
	return 0;
}

/* "fs" denies all of the machine, and more words what a rule of them would allow: that is looked up as one is. */
static bool denies(const struct inside *inside, const struct sandbox *sandbox,
		   const struct denial *denial, const char *real)
{
	static struct sandbox asked;
	static struct grants denied;
	static const char fs[] = "fs:", read[] = ":ro";
	struct failure ignored = { 0 };

	if (denial->length == 2 && memcmp(denial->text, "fs", 2) == 0)
		return true;
	if (denial->length < sizeof fs || memcmp(denial->text, fs, sizeof fs - 1) != 0)
		return false;
	OWNED char *rule = malloc(denial->length + sizeof read);
	if (!rule)
		return true;
	memcpy(rule, denial->text, denial->length);
	memcpy(rule + denial->length, read, sizeof read);
	memset(&denied, 0, sizeof denied);
	asked = (struct sandbox){ .session = sandbox->session };
	if (rules_add_short(&asked.rules, denial->where, rule, strlen(rule), &ignored) < 0 ||
	    grants_collect_inside(&denied, &asked, inside->name, &ignored) < 0)
		return true;
	for (size_t i = 0; i < denied.count; i++)
		if (!(denied.list[i].rights & GRANT_DEVICE) &&
		    (grant_is_in(real, denied.list[i].path) ||
		     grant_is_in(denied.list[i].path, real)))
			return true;
	return false;
}

const char *inside_denied_by(const struct inside *inside, const struct sandbox *sandbox,
			     const char *real)
{
	for (size_t i = 0; i < sandbox->denial_count; i++)
		if (denies(inside, sandbox, &sandbox->denials[i], real))
			return sandbox->denials[i].where;
	return NULL;
}

/*
 * What must not be changed is mounted read-only, and what must not be executed noexec. A rule for the root directory
 * is one for all that is mounted below it, so these say no more than which nodes are devices.
 */
static int allow_root(struct grants *grants, struct failure *failure)
{
	static const char *const terminals[] = { "/dev/tty", "/dev/pts", "/dev/ptmx",
						 "/dev/console" };
	unsigned device = GRANT_READ | GRANT_WRITE | GRANT_DEVICE;
	size_t count = 0;

	for (size_t i = 0; i < grants->count; i++)
		if (grants->list[i].rights & GRANT_DEVICE)
			grants->list[count++] = grants->list[i];
	grants->count = count;
	if (grants_add_real(grants, "/", GRANT_READ | GRANT_WRITE | GRANT_EXECUTE, failure) < 0)
		return -1;
	for (size_t i = 0; i < sizeof terminals / sizeof *terminals; i++)
		if (grants_add_real(grants, terminals[i], device, failure) < 0)
			return -1;
	return 0;
}

int inside_seal(struct inside *inside, const struct sandbox *sandbox, struct failure *failure)
{
	if (grants_name_app_data(&inside->grants) < 0 || sandbox_ask_by_tcp(&sandbox->rules) < 0)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "variables of the sandbox");
	return allow_root(&inside->grants, failure) < 0 ||
			       seal(sandbox, &inside->facts, &inside->grants, failure) < 0 ?
		       -1 :
		       0;
}
