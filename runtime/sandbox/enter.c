#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owned.h"
#include "generated/names.h"
#include "kernel/namespace.h"
#include "kernel/trees.h"
#include "process/init.h"
#include "sandbox/bus.h"
#include "sandbox/facts.h"
#include "sandbox/filter.h"
#include "sandbox/namespaces.h"
#include "sandbox/views.h"

/* A namespace of users and mounts where the start did without: its mount was made on the host. */
static void leave_host(const struct sandbox_start *start, struct facts *facts,
		       struct failure *refused)
{
	struct identity identity = *start->identity;
	int cwd = -1;

	facts->views = identity.kind != NAMESPACE_NONE;
	facts->no_namespace = start->refusal;
	if (facts->views || start->refusal)
		return;
	identity.kind = namespace_kind(&identity.caller);
	facts->views = namespace_probe(&identity, refused) == 0 &&
		       namespace_enter(&identity, false, &cwd, refused) == 0;
	if (!facts->views)
		facts->no_namespace = refused->text;
}

static int enter_namespaces(const struct sandbox *sandbox, struct facts *facts,
			    struct failure *failure)
{
	if (!facts->views)
		return 0;
	sandbox_unshare(sandbox, facts);
	if (!rules_have(&sandbox->rules, RULE_PID))
		return 0;
	facts->pid = true;
	return init_begin(failure);
}

/* Of the process namespace that is the app's own; a kernel that shows only part of it here gives no new one. */
static void show_processes(struct facts *facts)
{
	OWNED_FD tree = facts->pid ? tree_proc() : -1;

	facts->pid = tree >= 0 && tree_move(tree, "/proc") == 0;
}

/* Names of hosts by TCP, where that is all there is and their port is allowed. */
int sandbox_ask_by_tcp(const struct rules *rules)
{
	bool only = rules_have_ports(rules) && !rules_have(rules, RULE_NET_UDP);

	return only ? setenv("RES_OPTIONS", "use-vc", 0) : 0;
}

/* Variables that would lead the app to what is not there. */
static int adjust_variables(const struct sandbox *sandbox, const struct sandbox_start *start,
			    const struct facts *facts, const struct grants *grants,
			    struct failure *failure)
{
	const char *temporary = getenv(ENV_TMPDIR);
	bool there = facts->views && !temporary;

	for (size_t i = 0; temporary && i < grants->count; i++)
		there |= grants->list[i].rights & GRANT_WRITE &&
			 grant_is_in(temporary, grants->list[i].path);
	if ((!there && (facts->views ? unsetenv(ENV_TMPDIR) :
				       setenv(ENV_TMPDIR, start->scratch[0], 1)) < 0) ||
	    sandbox_ask_by_tcp(&sandbox->rules) < 0 || grants_name_app_data(grants) < 0 ||
	    bus_name(grants) < 0)
		return fail(failure, FUSELAGE_E_OUT_OF_MEMORY, "variables of the sandbox");
	return 0;
}

int sandbox_enter(const struct sandbox *sandbox, const struct sandbox_start *start,
		  struct failure *failure)
{
	static struct grants grants;
	struct failure refused = { 0 };
	struct facts facts = { .landlock = landlock_version(), .filter = filter_is_there() };
	bool pid = false;

	leave_host(start, &facts, &refused);
	if (bus_begin(sandbox, start, &facts, &grants, failure) < 0 ||
	    enter_namespaces(sandbox, &facts, failure) < 0)
		return -1;
	pid = facts.pid;
	if (pid)
		show_processes(&facts);
	if (grants_collect(&grants, sandbox, start, failure) < 0)
		return -1;
	unsigned rights = GRANT_READ | GRANT_WRITE |
			  (sandbox_runs_host(sandbox, start) ? GRANT_EXECUTE : 0);
	/* As long as it is silent, nobody knows why the app finds none of its services. */
	if (facts.no_bus && sandbox->mode != SANDBOX_STRICT)
		fprintf(stderr, "fuselage: sandbox: ipc dbus: %s\n", facts.no_bus);
	if (facts_refuse(sandbox, &facts, failure) < 0 ||
	    (facts.views && views_make(&grants, start->memory, rights, failure) < 0) ||
	    adjust_variables(sandbox, start, &facts, &grants, failure) < 0 ||
	    seal(sandbox, &facts, &grants, failure) < 0)
		return -1;
	return pid ? init_fork(failure) : 0;
}
