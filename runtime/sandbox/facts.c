#include "sandbox/facts.h"

struct list {
	struct gap *gaps;
	size_t count;
};

static void add(struct list *list, bool is_gap, const char *what, const char *why)
{
	if (is_gap && list->count < GAPS_MAX)
		list->gaps[list->count++] = (struct gap){ what, why };
}

size_t facts_gaps(const struct sandbox *sandbox, const struct facts *facts,
		  struct gap gaps[GAPS_MAX])
{
	const struct rules *rules = &sandbox->rules;
	const char *no_namespace = facts->no_namespace ? facts->no_namespace :
							 "no namespace is to be had here";
	bool ports = rules_have_ports(rules);
	struct list list = { gaps, 0 };

	add(&list, facts->landlock < 1, "files outside of the private directories",
	    "the kernel has no Landlock (Linux 5.13, lsm=landlock)");
	add(&list, facts->landlock >= 1 && facts->landlock < 3, "truncate(2) of files to be read",
	    "Landlock before version 3 (Linux 6.2)");
	add(&list, ports && facts->landlock < 4, "ports of TCP",
	    "Landlock before version 4 (Linux 6.7)");
	add(&list, facts->landlock < 6, "signals to other processes, abstract sockets",
	    "Landlock before version 6 (Linux 6.12)");
	add(&list, !facts->filter, "system calls and kinds of sockets",
	    "the kernel has no filters (seccomp)");
	add(&list, !facts->views, "sockets in /run and /tmp, names and sizes of files",
	    no_namespace);
	add(&list, rules_have(rules, RULE_PID) && !facts->pid, "pid", no_namespace);
	add(&list, rules_have(rules, RULE_NETNS) && !facts->netns, "netns", no_namespace);
	add(&list, rules_have(rules, RULE_IPCNS) && !facts->ipcns, "ipcns", no_namespace);
	add(&list, facts->no_bus, "ipc dbus", facts->no_bus);
	return list.count;
}

int facts_refuse(const struct sandbox *sandbox, const struct facts *facts, struct failure *failure)
{
	struct gap gaps[GAPS_MAX];

	if (sandbox->mode != SANDBOX_STRICT || facts_gaps(sandbox, facts, gaps) == 0)
		return 0;
	return fail(failure, FUSELAGE_E_SANDBOX_STRICT, "%s cannot be fenced in here: %.600s",
		    gaps[0].what, gaps[0].why);
}
